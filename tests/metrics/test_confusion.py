import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.metrics import confusion

# Truth against prediction [[3, 0, 1], [0, 2, 0], [0, 1, 2]]: the catalogue's worked example.
TRUTH = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
FOUND = torch.tensor([0, 0, 0, 2, 1, 1, 1, 2, 2])


def seen(name: str, found, truth, **words):
    metric = create(name, **{"num_classes": 3, **words})
    metric.update(found, truth)
    return metric


def drawn(seed: int):
    numbers = torch.Generator().manual_seed(seed)
    found, truth = (torch.randint(-1, 5, (4, 5, 6), generator=numbers) for _ in range(2))
    truth[0, 0, :2] = 255
    return found, truth


def test_the_worked_example():
    assert seen("confusion_matrix", FOUND, TRUTH).compute().tolist() == [[3, 0, 1], [0, 2, 0], [0, 1, 2]]


@pytest.mark.parametrize("ignored", [None, 0, 2, 255, -1])
def test_confusion_matrix_counts_pairs(ignored):
    for seed in range(3):
        found, truth = drawn(seed)
        pairs = list(zip(truth.flatten().tolist(), found.flatten().tolist(), strict=True))
        expected = [
            [sum(p == (t, f) for p in pairs) if t != ignored else 0 for f in range(4)] for t in range(4)
        ]
        got = seen("confusion_matrix", found, truth, num_classes=4, ignore_index=ignored)
        assert got.compute().tolist() == expected
        assert got.compute().dtype == torch.int64


@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_confusion_matrix_of_many_pixels_a_chunk_at_a_time(chunk, kind, monkeypatch):
    monkeypatch.setattr(confusion, "CHUNK", chunk)
    found, truth = (torch.randint(0, 3, (1000,), generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    expected = torch.stack([torch.bincount(found[truth == t], minlength=3) for t in range(3)])
    assert torch.equal(seen("confusion_matrix", found.to(kind), truth.to(kind)).compute(), expected)


def test_a_score_taken_does_not_change_with_what_comes_after():
    metric = seen("confusion_matrix", FOUND, TRUTH)
    before = metric.compute()
    metric.update(FOUND, TRUTH)
    assert before.sum() == 9 and metric.compute().sum() == 18


def plain(found: list[int], truth: list[int], classes: int, beta: float, ignored: int | None):
    """Accuracy, and precision, recall and F of each class that is there, from the definitions."""
    pairs = [(t, f) for t, f in zip(truth, found, strict=True) if 0 <= t < classes and t != ignored]
    each = []
    for c in range(classes):
        tp = sum(t == f == c for t, f in pairs)
        fp, fn = sum(f == c != t for t, f in pairs), sum(t == c != f for t, f in pairs)
        if c == ignored or not tp + fp + fn:
            continue
        p, r = (tp / (tp + fp) if tp + fp else 0), (tp / (tp + fn) if tp + fn else 0)
        each.append((p, r, (1 + beta**2) * p * r / (beta**2 * p + r) if p + r else 0))
    means = [sum(x) / len(each) for x in zip(*each, strict=True)] if each else [math.nan] * 3
    return [sum(t == f for t, f in pairs) / len(pairs) if pairs else math.nan, *means]


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("ignored", [None, 1, 255])
def test_precision_recall_f_is_the_definitions(beta, ignored):
    for seed, classes in ((0, 4), (1, 3), (2, 6)):
        found, truth = drawn(seed)
        expected = plain(found.flatten().tolist(), truth.flatten().tolist(), classes, beta, ignored)
        metric = seen(
            "precision_recall_f", found, truth, num_classes=classes, beta=beta, ignore_index=ignored
        )
        assert metric.compute().tolist() == pytest.approx(expected, abs=1e-12)


def test_precision_recall_f_by_class():
    table = seen("precision_recall_f", FOUND, TRUTH, num_classes=4).per_class()
    assert table[:3, 0].tolist() == pytest.approx([1, 2 / 3, 2 / 3])
    assert table[:3, 1].tolist() == pytest.approx([0.75, 1, 2 / 3])
    assert table[:3, 2].tolist() == pytest.approx([6 / 7, 0.8, 2 / 3]) and table[3].isnan().all()


def test_precision_recall_f_of_nothing_is_nan():
    assert create("precision_recall_f", num_classes=3).compute().isnan().all()


@pytest.mark.parametrize("name", ["confusion_matrix", "precision_recall_f"])
@pytest.mark.parametrize(
    ("found", "truth"),
    [
        (torch.zeros(2, 5), torch.zeros(2, 5, dtype=torch.long)),
        (torch.zeros(3, dtype=torch.long), torch.zeros(4, dtype=torch.long)),
    ],
)
def test_what_does_not_fit_is_refused(name, found, truth):
    with pytest.raises(UsageError, match=f"{name} wants"):
        seen(name, found, truth)


def test_precision_recall_f_wants_a_positive_beta():
    with pytest.raises(UsageError, match="beta"):
        create("precision_recall_f", num_classes=3, beta=0.0)
