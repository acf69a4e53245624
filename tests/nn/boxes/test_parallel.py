import math

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.boxes import cluster_nms, diou_nms, fast_nms, matrix_nms, nms, soft_nms

from .plain import drawn, overlap

CASES = [
    (count, seed, by_class) for seed, count in enumerate((1, 2, 9, 60, 300)) for by_class in (False, True)
]
every_case = pytest.mark.parametrize(("count", "seed", "by_class"), CASES)


def table(boxes, scores, classes):
    """Places from the best down, and the overlaps of every two of them; none between classes."""
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    rows = boxes.tolist()
    return order, [
        [overlap(rows[i], rows[j]) if classes is None or classes[i] == classes[j] else 0.0 for j in order]
        for i in order
    ]


@every_case
def test_fast_nms_keeps_what_no_better_box_overlaps(count, seed, by_class):
    boxes, scores, classes = drawn(count, seed)
    labels = classes if by_class else None
    order, iou = table(boxes, scores.tolist(), labels)
    expected = [i for j, i in enumerate(order) if all(iou[k][j] <= 0.3 for k in range(j))]
    got = fast_nms(boxes, scores, 0.3, labels)
    assert got.tolist() == expected
    assert set(expected) <= set(nms(boxes, scores, 0.3, labels).tolist())


def test_fast_nms_lets_dropped_boxes_drop_others():
    chain = torch.tensor([[0.0, 0, 10, 10], [0, 4, 10, 14], [0, 8, 10, 18]])
    assert fast_nms(chain, torch.tensor([0.9, 0.8, 0.7]), 0.3).tolist() == [0]
    assert nms(chain, torch.tensor([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]


@every_case
def test_cluster_nms_is_nms_and_after_one_round_fast_nms(count, seed, by_class):
    boxes, scores, classes = drawn(count, seed)
    labels = classes if by_class else None
    got = cluster_nms(boxes, scores, 0.4, labels)
    assert torch.equal(got.places, nms(boxes, scores, 0.4, labels))
    assert torch.equal(got.boxes, boxes[got.places]) and torch.equal(got.scores, scores[got.places])
    assert torch.equal(
        cluster_nms(boxes, scores, 0.4, labels, rounds=1).places, fast_nms(boxes, scores, 0.4, labels)
    )
    by_distance = cluster_nms(boxes, scores, 0.4, labels, criterion="diou").places
    assert torch.equal(by_distance, diou_nms(boxes, scores, 0.4, labels))


@every_case
def test_cluster_nms_with_a_penalty_lowers_scores(count, seed, by_class):
    boxes, scores, classes = drawn(count, seed)
    labels = classes if by_class else None
    order, iou = table(boxes, scores.tolist(), labels)
    kept = set(nms(boxes, scores, 0.4, labels).tolist())
    now = {
        i: scores[i].item()
        * math.prod(math.exp(-(iou[k][j] ** 2) / 0.3) for k in range(j) if order[k] in kept)
        for j, i in enumerate(order)
    }
    expected = sorted((i for i in now if now[i] >= 0.05), key=lambda i: -now[i])
    got = cluster_nms(boxes, scores, 0.4, labels, penalty=0.3, floor=0.05)
    assert got.places.tolist() == expected and got.scores.tolist() == pytest.approx(
        [now[i] for i in expected]
    )


@every_case
def test_cluster_nms_that_merges_averages_near_boxes(count, seed, by_class):
    boxes, scores, classes = drawn(count, seed)
    labels = classes if by_class else None
    order, iou = table(boxes, scores.tolist(), labels)
    got = cluster_nms(boxes, scores, 0.4, labels, merge=0.5)
    assert torch.equal(got.places, nms(boxes, scores, 0.4, labels))
    for box, place in zip(got.boxes.tolist(), got.places.tolist(), strict=True):
        j = order.index(place)
        weights = {place: scores[place].item()}
        weights |= {i: iou[j][k] * scores[i].item() for k, i in enumerate(order) if k > j and iou[j][k] > 0.5}
        total = sum(weights.values())
        expected = [sum(w * boxes[i, k].item() for i, w in weights.items()) / total for k in range(4)]
        assert box == pytest.approx(expected)


@pytest.mark.parametrize(("form", "sigma"), [("gaussian", 0.5), ("gaussian", 2.0), ("linear", 0.5)])
@every_case
def test_matrix_nms_is_the_formula(count, seed, by_class, form, sigma):
    boxes, scores, classes = drawn(count, seed)
    labels = classes if by_class else None
    order, iou = table(boxes, scores.tolist(), labels)
    f = (lambda x: math.exp(-(x**2) / sigma)) if form == "gaussian" else (lambda x: 1 - x)
    covered = [max((iou[k][i] for k in range(i)), default=0.0) for i in range(count)]
    now = {
        place: scores[place].item() * min((f(iou[i][j]) / f(covered[i]) for i in range(j)), default=1.0)
        for j, place in enumerate(order)
    }
    if by_class:  # boxes of other classes have no say
        now = {p: min(s, scores[p].item()) for p, s in now.items()}
    expected = sorted((p for p in now if now[p] >= 0.05), key=lambda p: -now[p])
    got = matrix_nms(boxes, scores, labels, form, sigma)
    assert got.places.tolist() == expected and got.scores.tolist() == pytest.approx(
        [now[p] for p in expected]
    )


@pytest.mark.parametrize("form", ["gaussian", "linear"])
def test_matrix_nms_of_two_boxes_is_soft_nms_and_leaves_the_best(form):
    for seed in range(20):
        boxes, scores, _ = drawn(2, seed)
        got = matrix_nms(boxes, scores, form=form, floor=0.0)
        soft = soft_nms(boxes, scores, 0.0, form=form, floor=0.0)
        torch.testing.assert_close(got.scores, soft.scores)
        assert got.scores[0] == scores.max()


@pytest.mark.parametrize("form", ["gaussian", "linear"])
def test_matrix_nms_of_equal_boxes(form):
    got = matrix_nms(
        torch.tensor([[0.0, 0, 1, 1]] * 4), torch.tensor([0.9, 0.8, 0.7, 0.6]), form=form, floor=0.0
    )
    assert got.places[0] == 0 and got.scores.isfinite().all() and got.scores[0] == pytest.approx(0.9)
    low = [0.0] * 3 if form == "linear" else [s * math.exp(-2) for s in (0.8, 0.7, 0.6)]
    assert got.scores[1:].tolist() == pytest.approx(low)


def test_empty_and_boxes_without_area():
    for boxes, scores in ((torch.zeros(0, 4), torch.zeros(0)), (torch.ones(2, 4), torch.tensor([0.2, 0.3]))):
        expected = [1, 0][: len(boxes)]
        assert fast_nms(boxes, scores).tolist() == expected
        for got in (
            cluster_nms(boxes, scores, penalty=0.2, merge=0.8),
            matrix_nms(boxes, scores),
            matrix_nms(boxes, scores, form="linear"),
        ):
            assert got.places.tolist() == expected


def test_what_does_not_fit_is_refused():
    for form in (fast_nms, cluster_nms, matrix_nms):
        with pytest.raises(UsageError, match=f"{form.__name__} wants"):
            form(torch.zeros(3, 4), torch.zeros(2))
    boxes = torch.zeros(3, 4), torch.zeros(3)
    for form, words in (
        (cluster_nms, {"criterion": "giou"}),
        (cluster_nms, {"penalty": 0.0}),
        (matrix_nms, {"form": "cubic"}),
        (matrix_nms, {"sigma": -1.0}),
    ):
        with pytest.raises(UsageError):
            form(*boxes, **words)
