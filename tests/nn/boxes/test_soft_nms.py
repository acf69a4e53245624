import math

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.boxes import nms, soft_nms

from .plain import drawn, overlap


def plain(boxes, scores, decay, floor, classes=None):
    """Take the best, lower what overlaps it, and again."""
    left, found = dict(enumerate(scores)), []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        score = left.pop(best)
        if score < floor:
            break
        found.append((best, score))
        for j in left:
            if classes is None or classes[j] == classes[best]:
                left[j] *= decay(overlap(boxes[best], boxes[j]))
    return found


DECAYS = {
    "gaussian": lambda iou: math.exp(-(iou**2) / 0.5),
    "linear": lambda iou: 1 - iou if iou >= 0.3 else 1.0,
}


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("floor", [0.001, 0.2])
@pytest.mark.parametrize("form", DECAYS)
def test_it_is_the_loop(form, floor, by_class):
    for seed, count in enumerate((1, 2, 9, 80)):
        boxes, scores, classes = drawn(count, seed)
        labels = classes if by_class else None
        expected = plain(
            boxes.tolist(), scores.tolist(), DECAYS[form], floor, classes.tolist() if by_class else None
        )
        got = soft_nms(boxes, scores, 0.3, labels, form, floor=floor)
        assert got.places.tolist() == [place for place, _ in expected]
        assert got.scores.tolist() == pytest.approx([score for _, score in expected])
        assert torch.equal(got.boxes, boxes[got.places])


def test_disjoint_boxes_are_left_alone_and_no_mercy_drops_any_overlap():
    boxes = torch.tensor([[0.0, 0, 1, 1], [2, 0, 3, 1], [0, 2, 1, 3]])
    got = soft_nms(boxes, torch.tensor([0.2, 0.9, 0.5]))
    assert got.places.tolist() == [1, 2, 0] and got.scores.tolist() == pytest.approx([0.9, 0.5, 0.2])
    boxes, scores, _ = drawn(60, 5)
    assert torch.equal(soft_nms(boxes, scores, sigma=1e-9).places, nms(boxes, scores, 1e-3))


@pytest.mark.parametrize("form", DECAYS)
def test_empty_equal_low_and_single_precision(form):
    assert soft_nms(torch.zeros(0, 4), torch.zeros(0), form=form).places.tolist() == []
    equal = soft_nms(torch.tensor([[0.0, 0, 1, 1]] * 50), torch.ones(50), form=form)
    assert equal.places[0] == 0 and equal.scores[0] == 1 and equal.scores.dtype == torch.float32
    assert len(equal.places) == (1 if form == "linear" else 4)  # e^-2 each: three more reach 0.001
    assert len(soft_nms(torch.rand(40, 4), torch.full((40,), 1e-4), form=form).places) == 0
    assert len(set(equal.places.tolist())) == len(equal.places)


def test_what_does_not_fit_is_refused():
    for words in ({"form": "cubic"}, {"sigma": 0.0}):
        with pytest.raises(UsageError, match="soft_nms has the forms"):
            soft_nms(torch.zeros(3, 4), torch.zeros(3), **words)
    with pytest.raises(UsageError, match="soft_nms wants"):
        soft_nms(torch.zeros(3, 4), torch.zeros(2))
