"""Boxes beside transformers and a plain loop: ties, empty boxes, classes, both forms."""

import numpy as np
import pytest
import torch
from transformers.loss.loss_for_object_detection import box_iou, generalized_box_iou

from torchatlas import create
from torchatlas.nn.boxes import pairwise_iou


def boxes(count=60):
    corner = torch.rand(count, 2, dtype=torch.double) * 40
    found = torch.cat([corner, corner + torch.rand(count, 2, dtype=torch.double) * 30], 1)
    found[3] = found[4]  # the same box twice
    return found.round()  # so that overlaps meet the threshold exactly


def slow(box, score, threshold, label):
    """Greedy suppression with one pair of boxes at a time."""
    left, kept = sorted(range(len(box)), key=lambda k: (-score[k], k)), []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [k for k in left if label[k] != label[best] or overlap(box[best], box[k]) <= threshold]
    return kept


def overlap(a, b):
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / either if either else 0


def test_overlaps(same):
    a, b = boxes()[:20], boxes()[20:50]
    a, b = (x[(x[:, 2:] > x[:, :2]).all(1)] for x in (a, b))
    same(
        "nms",
        "transformers.loss.loss_for_object_detection.box_iou",
        pairwise_iou(a, b),
        box_iou(a, b)[0],
        1e-12,
    )


@pytest.mark.parametrize("form", ["greedy", "matrix"])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_suppression(same, form, threshold):
    box, score = boxes(), torch.rand(60, dtype=torch.double).mul(20).round() / 20
    label = torch.arange(60) % 3
    for labels in (None, label):
        ours = create("nms")(box, score, threshold, labels, form)
        told = [0] * 60 if labels is None else label.tolist()
        theirs = slow(box.tolist(), score.tolist(), threshold, told)
        same("nms", "formula (greedy, a loop over single pairs)", ours, np.array(theirs), 0)


def test_giou_loss(same):
    a, b = boxes()[:30], boxes()[30:]
    both = (a[:, 2:] > a[:, :2]).all(1) & (b[:, 2:] > b[:, :2]).all(1)
    theirs = 1 - generalized_box_iou(a[both], b[both]).diagonal()
    same(
        "giou_loss",
        "transformers.loss.loss_for_object_detection.generalized_box_iou",
        create("giou_loss", reduction="none")(a[both], b[both]),
        theirs,
        1e-12,
    )


@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_cluster_nms_is_greedy(same, threshold):
    box, score = boxes(), torch.rand(60, dtype=torch.double)
    label = torch.arange(60) % 3
    ours = create("cluster_nms")(box, score, threshold, label).places
    theirs = slow(box.tolist(), score.tolist(), threshold, label.tolist())
    same("cluster_nms", "formula (greedy, a loop over single pairs)", ours, np.array(theirs), 0)
