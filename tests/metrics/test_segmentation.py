import math

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.metrics import MeanIoU

# Truth against prediction [[3, 0, 1], [0, 2, 0], [0, 1, 2]]: the catalogue's worked example.
TRUTH = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
FOUND = torch.tensor([0, 0, 0, 2, 1, 1, 1, 2, 2])


def plain(found: list[int], truth: list[int], classes: int, ignored: int | None = None) -> float:
    """By sets of pixels."""
    pixels = [i for i, t in enumerate(truth) if t != ignored and 0 <= t < classes]
    scores = []
    for c in range(classes):
        p, t = {i for i in pixels if found[i] == c}, {i for i in pixels if truth[i] == c}
        if c != ignored and p | t:
            scores.append(len(p & t) / len(p | t))
    return sum(scores) / len(scores) if scores else math.nan


def score(found: torch.Tensor, truth: torch.Tensor, classes: int = 3, ignored: int | None = None) -> float:
    metric = MeanIoU(classes, ignored)
    metric.update(found, truth)
    return metric.compute().item()


def test_the_worked_example():
    metric = MeanIoU(3)
    metric.update(FOUND, TRUTH)
    assert metric.pixels.tolist() == [[3, 0, 1, 0], [0, 2, 0, 0], [0, 1, 2, 0]]
    assert metric.per_class().tolist() == pytest.approx([0.75, 2 / 3, 0.5], abs=1e-15)
    assert metric.compute().item() == pytest.approx(0.638889, abs=5e-7)


@pytest.mark.parametrize("ignored", [None, 0, 2, 255, -1])
def test_it_is_the_formula_over_sets(ignored):
    numbers = torch.Generator().manual_seed(1)
    for classes in (1, 3, 6):
        found, truth = (torch.randint(-1, 7, (4, 5, 6), generator=numbers) for _ in range(2))
        truth[0, 0, :2] = 255
        expected = plain(found.flatten().tolist(), truth.flatten().tolist(), classes, ignored)
        assert score(found, truth, classes, ignored) == pytest.approx(expected, abs=1e-14, nan_ok=True)


def test_a_class_absent_from_both_is_left_out_and_one_wrongly_found_counts_nought():
    truth = torch.tensor([0, 0, 1, 1])
    assert score(truth, truth, classes=5) == 1
    assert score(torch.tensor([0, 0, 1, 2]), truth, classes=5) == pytest.approx((1 + 0.5 + 0) / 3)


def test_it_is_the_score_of_the_set_not_the_mean_over_batches():
    metric = MeanIoU(2)
    for found, truth in (([0], [0]), ([0, 1, 1], [0, 0, 0])):
        metric.update(torch.tensor(found), torch.tensor(truth))
    assert metric.compute().item() == pytest.approx((2 / 4 + 0) / 2)


def test_nothing_seen_is_nan():
    assert math.isnan(MeanIoU(3).compute())
    assert math.isnan(score(torch.tensor([1, 2]), torch.tensor([255, 255]), ignored=255))
    assert math.isnan(score(torch.zeros(0, 4, dtype=torch.long), torch.zeros(0, 4, dtype=torch.long)))


def test_logits_are_decided_over_dimension_one():
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(2))
    truth = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(3))
    assert score(logits, truth) == score(logits.argmax(1), truth)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_any_integers_do(dtype):
    assert score(FOUND.to(dtype), TRUTH.to(dtype)) == pytest.approx(0.638889, abs=5e-7)


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        (torch.zeros(2, 4, 5), torch.zeros(2, 5, dtype=torch.long)),
        (torch.zeros(2, 5), torch.zeros(2, 5, dtype=torch.long)),
        (torch.zeros(3, dtype=torch.long), torch.zeros(4, dtype=torch.long)),
        (torch.zeros(2, 3), torch.zeros(2)),
    ],
)
def test_what_does_not_fit_is_refused(found, truth):
    with pytest.raises(UsageError, match="mean_iou wants"):
        score(found, truth)


def test_it_compiles_whole():
    metric = MeanIoU(3, ignore_index=255)
    torch.compiler.reset()
    torch.compile(metric.update, fullgraph=True, backend="aot_eager")(FOUND, TRUTH)
    assert metric.compute().item() == pytest.approx(0.638889, abs=5e-7)
