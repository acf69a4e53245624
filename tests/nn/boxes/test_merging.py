import math

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.boxes import iou_guided_nms, nms, softer_nms, weighted_nms

from .plain import drawn, greedy, overlap

CASES = [
    (count, seed, by_class) for seed, count in enumerate((1, 2, 9, 60, 200)) for by_class in (False, True)
]
every_case = pytest.mark.parametrize(("count", "seed", "by_class"), CASES)


def clusters(boxes, scores, classes, threshold=0.4):
    rows = boxes.tolist()
    labels = None if classes is None else classes.tolist()
    return greedy(rows, scores.tolist(), lambda i, j: overlap(rows[i], rows[j]) > threshold, labels)


@every_case
def test_iou_guided_nms_takes_the_best_score_of_the_cluster(count, seed, by_class):
    boxes, scores, classes = drawn(count, seed)
    placed = torch.rand(count, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.double)
    labels = classes if by_class else None
    found = clusters(boxes, placed, labels)
    expected = sorted(
        ((max(scores[i].item() for i in group), best) for best, group in found.items()), reverse=True
    )
    got = iou_guided_nms(boxes, scores, placed, 0.4, labels)
    assert got.places.tolist() == [best for _, best in expected]
    assert got.scores.tolist() == [score for score, _ in expected]
    assert torch.equal(got.boxes, boxes[got.places])


def test_iou_guided_nms_by_the_scores_is_nms():
    boxes, scores, _ = drawn(70, 6)
    got = iou_guided_nms(boxes, scores, scores)
    assert torch.equal(got.places, nms(boxes, scores)) and torch.equal(got.scores, scores[got.places])


@every_case
def test_weighted_nms_is_the_mean_of_the_cluster(count, seed, by_class):
    boxes, scores, classes = drawn(count, seed)
    labels = classes if by_class else None
    rows, found = boxes.tolist(), clusters(boxes, scores, labels)
    got = weighted_nms(boxes, scores, 0.4, labels)
    assert got.places.tolist() == list(found) and torch.equal(got.scores, scores[got.places])
    for box, (best, group) in zip(got.boxes.tolist(), found.items(), strict=True):
        weights = [scores[i].item() * overlap(rows[best], rows[i]) for i in group]
        expected = [
            sum(w * rows[i][k] for w, i in zip(weights, group, strict=True)) / sum(weights) for k in range(4)
        ]
        assert box == pytest.approx(expected)


def test_weighted_nms_leaves_single_boxes_and_stays_within_its_cluster():
    alone = torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 9, 9]])
    assert torch.equal(weighted_nms(alone, torch.tensor([0.9, 0.8, 0.0])).boxes, alone)
    pair = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11]])
    box = weighted_nms(pair, torch.tensor([0.9, 0.6])).boxes[0]
    assert ((box > pair[0]) & (box < pair[1])).all()


@every_case
def test_softer_nms_is_the_vote_of_all_that_touch(count, seed, by_class):
    boxes, scores, classes = drawn(count, seed)
    variances = 0.1 + torch.rand(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    labels = classes if by_class else None
    rows, spread, found = boxes.tolist(), variances.tolist(), clusters(boxes, scores, labels)
    got = softer_nms(boxes, scores, variances, 0.4, labels, 0.05)
    assert got.places.tolist() == list(found) and torch.equal(got.scores, scores[got.places])
    for box, best in zip(got.boxes.tolist(), found, strict=True):
        voters = [
            (i, math.exp(-((1 - overlap(rows[best], rows[i])) ** 2) / 0.05))
            for i in range(count)
            if overlap(rows[best], rows[i]) > 0 and (labels is None or labels[i] == labels[best])
        ]
        for k in range(4):
            total = sum(w / spread[i][k] for i, w in voters)
            assert box[k] == pytest.approx(sum(w / spread[i][k] * rows[i][k] for i, w in voters) / total)


def test_softer_nms_without_patience_is_nms():
    boxes, scores, _ = drawn(60, 8)
    got = softer_nms(boxes, scores, torch.ones(60, 4), sigma=1e-9)
    assert torch.equal(got.places, nms(boxes, scores))
    torch.testing.assert_close(got.boxes, boxes[got.places])


def test_empty_and_boxes_without_area():
    none, point = (torch.zeros(0, 4), torch.zeros(0)), (torch.ones(2, 4), torch.tensor([0.2, 0.3]))
    for boxes, scores in (none, point):
        for got in (
            iou_guided_nms(boxes, scores, scores),
            weighted_nms(boxes, scores),
            softer_nms(boxes, scores, torch.ones_like(boxes)),
        ):
            assert got.places.tolist() == [1, 0][: len(boxes)] and torch.equal(got.boxes, boxes)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="confidence"):
        iou_guided_nms(torch.zeros(3, 4), torch.zeros(3), torch.zeros(2))
    with pytest.raises(UsageError, match="weighted_nms wants"):
        weighted_nms(torch.zeros(3, 4), torch.zeros(2))
    for words in ({"variances": torch.ones(3)}, {"variances": torch.ones(3, 4), "sigma": 0.0}):
        with pytest.raises(UsageError, match="variances and sigma"):
            softer_nms(torch.zeros(3, 4), torch.zeros(3), **words)
