"""Metrics beside torchmetrics and scikit-learn: several batches, classes that are missing, pixels ignored."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics import classification as tm
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image import PeakSignalNoiseRatio

from torchatlas import create


def pixels(ignored, top):
    """Two batches of class numbers; some pixels are ignored."""
    found, truth = torch.randint(top, (2, 3, 4, 9, 7))
    if ignored == 255:
        truth[torch.rand(truth.shape) < 0.2] = 255
    return found, truth


def both(ours, peer, found, truth):
    """The scores of two metrics that saw the same batches."""
    for a, b in zip(found, truth):
        ours.update(a, b)
        peer.update(a, b)
    return ours.compute(), peer.compute()


@pytest.mark.parametrize("ignored", [None, 255, 2])
@pytest.mark.parametrize("top", [6, 4])  # with 4, the last two classes are missing
def test_mean_iou(same, ignored, top):
    ours = create("mean_iou", num_classes=6, ignore_index=ignored)
    peer = tm.MulticlassJaccardIndex(6, average="macro", ignore_index=ignored)
    found, truth = pixels(ignored, top)
    same(
        "mean_iou",
        "torchmetrics.classification.MulticlassJaccardIndex",
        *both(ours, peer, found, truth),
        1e-6,
    )
    if ignored is None:
        classes = range(top)
        theirs = sk.jaccard_score(truth.flatten(), found.flatten(), labels=classes, average=None)
        same("mean_iou", "sklearn.metrics.jaccard_score", ours.per_class()[:top], theirs, 1e-12)
        assert np.isnan(ours.per_class()[top:]).all()


PEERS = {  # ours and its words, theirs and its words
    "confusion_matrix": ({}, "MulticlassConfusionMatrix", {}),
    "pixel_accuracy": ({}, "MulticlassAccuracy", {"average": "micro"}),
    "class_pixel_accuracy": ({}, "MulticlassPrecision", {"average": None}),
    "mean_pixel_accuracy": ({"axis": "truth"}, "MulticlassRecall", {"average": "macro"}),
    "iou_metric": ({}, "MulticlassJaccardIndex", {"average": None}),
    "fw_iou": ({}, "MulticlassJaccardIndex", {"average": "weighted"}),
    "dice_coefficient": ({}, "MulticlassF1Score", {"average": None}),
}


@pytest.mark.parametrize("ignored", [None, 255])
@pytest.mark.parametrize("name", PEERS)
def test_scores_of_confusion_matrices(same, name, ignored):
    words, thing, theirs = PEERS[name]
    ours = create(name, num_classes=6, ignore_index=ignored, **words)
    peer = getattr(tm, thing)(6, ignore_index=ignored, **theirs)
    same(name, f"torchmetrics.classification.{thing}", *both(ours, peer, *pixels(ignored, 6)), 1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("top", [5, 3])
def test_precision_recall_f(same, beta, top):
    found, truth = torch.randint(top, (2, 200))
    ours = create("precision_recall_f", num_classes=5, beta=beta)
    ours.update(found, truth)
    theirs = sk.precision_recall_fscore_support(
        truth, found, beta=beta, labels=range(top), average="macro", zero_division=0
    )[:3]
    expected = [sk.accuracy_score(truth, found), *theirs]
    same(
        "precision_recall_f",
        "sklearn.metrics.precision_recall_fscore_support",
        ours.compute(),
        expected,
        1e-12,
    )
    peer = tm.MulticlassFBetaScore(beta, top, average=None)
    same(
        "precision_recall_f",
        "torchmetrics.classification.MulticlassFBetaScore",
        ours.per_class()[:top, 2],
        peer(found, truth),
        1e-6,
    )


@pytest.mark.parametrize("ties", [False, True])
def test_pr_curve(same, ties):
    scores = torch.rand(80, dtype=torch.double)
    scores = (scores * 8).round() / 8 if ties else scores
    hits = torch.rand(80) < 0.4
    ours = create("pr_curve")
    ours.update(scores, hits)
    precision, recall, cuts = sk.precision_recall_curve(hits, scores)
    table = np.stack([cuts, precision[:-1], recall[:-1]], 1)[::-1]  # theirs rises, and ends at recall 0
    same("pr_curve", "sklearn.metrics.precision_recall_curve", ours.compute(), table.copy(), 1e-12)
    theirs = tm.BinaryPrecisionRecallCurve()(scores, hits.long())
    table = torch.stack([theirs[2], theirs[0][:-1], theirs[1][:-1]], 1).flip(0)
    same("pr_curve", "torchmetrics.classification.BinaryPrecisionRecallCurve", ours.compute(), table, 1e-6)


@pytest.mark.parametrize("count", [5, 60])
def test_average_precision(same, count):
    """All of the area: scikit-learn's curve, made to fall by numpy's running maximum."""
    scores, hits = torch.rand(count, dtype=torch.double), torch.rand(count) < 0.5
    hits[0] = True
    ours = create("average_precision")
    ours.update(scores, hits)
    precision, recall, _ = sk.precision_recall_curve(hits, scores)
    falling = np.maximum.accumulate(precision[:-1])  # from the largest recall down
    theirs = (-np.diff(recall) * falling).sum()
    same("average_precision", "sklearn.metrics.precision_recall_curve", ours.compute(), theirs, 1e-12)


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_images(same, name):
    target = torch.rand(4, 3, 24, 20, dtype=torch.double)
    found = (target + 0.1 * torch.randn_like(target)).clamp(0, 1)
    ours = create(name)
    ours.update(found, target)
    if name == "psnr":
        peer = PeakSignalNoiseRatio(data_range=1.0, dim=(1, 2, 3))
        theirs = peer(found, target)
        same("psnr", "torchmetrics.image.PeakSignalNoiseRatio", ours.compute(), theirs, 1e-6)
    else:  # theirs pads the image; the windows within it are in the middle
        _, full = structural_similarity_index_measure(found, target, data_range=1.0, return_full_image=True)
        theirs = full[..., 5:-5, 5:-5].mean()
        same(
            "ssim",
            "torchmetrics.functional.image.structural_similarity_index_measure",
            ours.compute(),
            theirs,
            1e-10,
        )
