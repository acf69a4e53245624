import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.boxes import nms

FORMS = pytest.mark.parametrize("form", ["greedy", "matrix"])


def plain(boxes, scores, threshold, classes=None):
    """NMS in plain Python, by comparing each box with every one that was kept."""

    def overlap(a, b):
        width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        both = max(width, 0) * max(height, 0)
        size = [max(c[2] - c[0], 0) * max(c[3] - c[1], 0) for c in (a, b)]
        return both / (sum(size) - both) if sum(size) > 0 else 0

    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        same = [j for j in kept if classes is None or classes[i] == classes[j]]
        if all(overlap(boxes[i], boxes[j]) <= threshold for j in same):
            kept.append(i)
    return kept


def drawn(count: int, seed: int, span: float = 10.0):
    numbers = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=numbers, dtype=torch.double) * span
    size = torch.rand(count, 2, generator=numbers, dtype=torch.double) * span / 2
    scores = torch.randint(0, 20, (count,), generator=numbers) / 20  # many ties
    return torch.cat([corner, corner + size], 1), scores, torch.randint(0, 3, (count,), generator=numbers)


@FORMS
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("span", [10.0, 1e12])
@pytest.mark.parametrize("by_class", [False, True])
def test_it_is_plain_nms(form, threshold, span, by_class):
    for seed, count in enumerate((1, 2, 7, 60)):
        boxes, scores, classes = drawn(count, seed, span)
        classes = classes if by_class else None
        expected = plain(boxes.tolist(), scores.tolist(), threshold, classes.tolist() if by_class else None)
        assert nms(boxes, scores, threshold, classes, form).tolist() == expected


@FORMS
def test_an_overlap_of_exactly_the_threshold_is_kept(form):
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1], [2, 0, 4, 2]])  # IoU 1/2, and touching
    scores = torch.tensor([0.9, 0.8, 0.7])
    assert nms(boxes, scores, 0.5, form=form).tolist() == [0, 1, 2]
    assert nms(boxes, scores, 0.499, form=form).tolist() == [0, 2]
    assert nms(boxes, scores, 0.0, form=form).tolist() == [0, 2]


@FORMS
def test_a_box_that_was_dropped_drops_no_other(form):
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 4, 10, 14], [0, 8, 10, 18]])  # a chain: 0-1 and 1-2 overlap
    assert nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.3, form=form).tolist() == [0, 2]


@FORMS
def test_ties_empty_and_degenerate(form):
    box = torch.tensor([[1.0, 1, 2, 2]])
    assert nms(box.repeat(5, 1), torch.ones(5), form=form).tolist() == [0]
    assert nms(box.repeat(5, 1), torch.ones(5), classes=torch.arange(5) % 2, form=form).tolist() == [0, 1]
    got = nms(torch.zeros(0, 4), torch.zeros(0), form=form)
    assert got.shape == (0,) and got.dtype == torch.long
    assert nms(torch.zeros(3, 4), torch.tensor([0.1, 0.3, 0.2]), form=form).tolist() == [1, 2, 0]  # no area


@FORMS
@pytest.mark.parametrize("large", [1e15, 1e30])
def test_classes_stay_apart_at_any_coordinates(form, large):
    # Shifting each class's boxes apart, a usual trick, would lose the boxes in the rounding of float32.
    boxes = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1], [0, 0, large, large], [0, 0, large, large / 4]])
    classes = torch.tensor([0, 1, 1, 1])
    assert nms(boxes, torch.tensor([0.9, 0.8, 0.7, 0.6]), 0.5, classes, form).tolist() == [0, 1, 2, 3]
    assert nms(boxes, torch.tensor([0.9, 0.8, 0.7, 0.6]), 0.2, classes, form).tolist() == [0, 1, 2]


def test_the_name_gives_the_function_with_its_options():
    boxes, scores, _ = drawn(20, 3)
    assert create("nms", threshold=0.2)(boxes, scores).tolist() == nms(boxes, scores, 0.2).tolist()


@pytest.mark.parametrize("words", [{"scores": torch.zeros(2)}, {"classes": torch.zeros(4)}, {"form": "fast"}])
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(UsageError, match="nms"):
        nms(**{"boxes": torch.zeros(3, 4), "scores": torch.zeros(3)} | words)
