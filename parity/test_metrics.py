"""Metrics beside torchmetrics and scikit-learn: several batches, classes that are missing, pixels ignored."""

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score
from torchmetrics.classification import MulticlassJaccardIndex

from torchatlas import create


@pytest.mark.parametrize("ignored", [None, 255, 2])
@pytest.mark.parametrize("top", [6, 4])  # with 4, the last two classes are missing
def test_mean_iou(same, ignored, top):
    ours = create("mean_iou", num_classes=6, ignore_index=ignored)
    peer = MulticlassJaccardIndex(6, average="macro", ignore_index=ignored)
    found, truth = torch.randint(top, (2, 3, 4, 9, 7))
    if ignored == 255:
        truth[torch.rand(truth.shape) < 0.2] = 255
    for a, b in zip(found, truth):
        ours.update(a, b)
        peer.update(a, b)
    same(
        "mean_iou", "torchmetrics.classification.MulticlassJaccardIndex", ours.compute(), peer.compute(), 1e-6
    )
    if ignored is None:
        classes = range(top)
        theirs = jaccard_score(truth.flatten(), found.flatten(), labels=classes, average=None)
        same("mean_iou", "sklearn.metrics.jaccard_score", ours.per_class()[:top], theirs, 1e-12)
        assert np.isnan(ours.per_class()[top:]).all()
