import math

import pytest
import torch

from torchatlas import create
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


SCORES = {
    "iou_metric": lambda tp, fp, fn: tp / (tp + fp + fn) if tp + fp + fn else math.nan,
    "dice_coefficient": lambda tp, fp, fn: 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else math.nan,
    "class_pixel_accuracy": lambda tp, fp, fn: tp / (tp + fp) if tp + fp else math.nan,
    "class_pixel_recall": lambda tp, fp, fn: tp / (tp + fn) if tp + fn else math.nan,
}


def counts(found, truth, classes, ignored):
    """True and false positives and false negatives of each class, by sets of pixels."""
    pairs = [(t, f) for t, f in zip(truth, found, strict=True) if 0 <= t < classes and t != ignored]
    for c in range(classes):
        p, t = ({i for i, pair in enumerate(pairs) if pair[side] == c} for side in (1, 0))
        yield len(p & t), len(p - t), len(t - p)


def expected_of(name, found, truth, classes, ignored):
    every = list(counts(found, truth, classes, ignored))
    pixels = [t for t in truth if 0 <= t < classes and t != ignored]
    if name == "pixel_accuracy":
        return sum(tp for tp, _, _ in every) / len(pixels)
    if name == "fw_iou":
        return sum(
            pixels.count(c) / len(pixels) * SCORES["iou_metric"](*x)
            for c, x in enumerate(every)
            if x[0] + x[2]
        )
    if name.startswith("mean_pixel"):
        form = "class_pixel_accuracy" if name == "mean_pixel_accuracy" else "class_pixel_recall"
        each = [x for x in expected_of(form, found, truth, classes, ignored) if not math.isnan(x)]
        return sum(each) / len(each)
    return [math.nan if c == ignored else SCORES[name](*x) for c, x in enumerate(every)]


FORMS = {"class_pixel_recall": "class_pixel_accuracy", "mean_pixel_recall": "mean_pixel_accuracy"}
NAMES = (*SCORES, "pixel_accuracy", "fw_iou", "mean_pixel_accuracy", "mean_pixel_recall")


@pytest.mark.parametrize("ignored", [None, 0, 255])
@pytest.mark.parametrize("name", NAMES)
def test_each_score_is_its_formula_over_sets(name, ignored):
    numbers = torch.Generator().manual_seed(2)
    words = {"axis": "truth"} if name in FORMS else {}
    for classes in (3, 7):
        found, truth = (torch.randint(-1, 5, (4, 5, 6), generator=numbers) for _ in range(2))
        metric = create(FORMS.get(name, name), num_classes=classes, ignore_index=ignored, **words)
        for a, b in zip(found, truth):
            metric.update(a, b)
        expected = expected_of(name, found.flatten().tolist(), truth.flatten().tolist(), classes, ignored)
        assert metric.compute().tolist() == pytest.approx(expected, abs=1e-13, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pixel_accuracy", 0.777778),
        ("class_pixel_accuracy", [1, 2 / 3, 2 / 3]),
        ("class_pixel_recall", [0.75, 1, 2 / 3]),
        ("mean_pixel_accuracy", 0.777778),
        ("mean_pixel_recall", 0.805556),
        ("iou_metric", [0.75, 2 / 3, 0.5]),
        ("fw_iou", 0.648148),
        ("dice_coefficient", [0.857143, 0.8, 0.666667]),
    ],
)
def test_known_values(name, value):
    words = {"axis": "truth"} if name in FORMS else {}
    metric = create(FORMS.get(name, name), num_classes=3, **words)
    metric.update(FOUND, TRUTH)
    assert metric.compute().tolist() == pytest.approx(value, abs=5e-7)


def test_dice_and_iou_say_the_same():
    iou, dice = create("iou_metric", num_classes=3), create("dice_coefficient", num_classes=3)
    for metric in (iou, dice):
        metric.update(FOUND, TRUTH)
    torch.testing.assert_close(dice.compute(), 2 * iou.compute() / (1 + iou.compute()))


def test_with_classes_of_one_size_fw_iou_is_mean_iou():
    truth = torch.arange(60) % 3
    found = truth.where(torch.rand(60, generator=torch.Generator().manual_seed(3)) < 0.6, 0)
    scores = []
    for name in ("fw_iou", "mean_iou"):
        metric = create(name, num_classes=3)
        metric.update(found, truth)
        scores.append(metric.compute())
    torch.testing.assert_close(*scores)


@pytest.mark.parametrize("name", ["class_pixel_accuracy", "mean_pixel_accuracy"])
def test_another_axis_is_refused(name):
    with pytest.raises(UsageError, match="axis is prediction or truth"):
        create(name, num_classes=3, axis="columns")


@pytest.mark.parametrize("name", ["pixel_accuracy", "fw_iou", "mean_pixel_accuracy", "mean_iou"])
def test_of_nothing_each_is_nan(name):
    assert math.isnan(create(name, num_classes=3).compute())
