"""Losses of segmentations beside pytorch_optimizer, transformers and PyTorch: one image with all classes."""

import pytest
import torch
import torch.nn.functional as F
from pytorch_optimizer import loss as po
from transformers.loss.loss_for_object_detection import dice_loss

from torchatlas import create


def mask():
    """Scores and a mask of one image."""
    return torch.randn(1, 1, 9, 8, dtype=torch.double) * 2, torch.randint(0, 2, (1, 9, 8))


def classes():
    """Scores and class numbers of one image."""
    return torch.randn(1, 4, 9, 8, dtype=torch.double) * 2, torch.randint(0, 4, (1, 9, 8))


def test_dice_and_jaccard(same):
    for name, thing in (("dice_loss", po.DiceLoss), ("soft_iou_loss", po.JaccardLoss)):
        for mode, (scores, truth) in (("binary", mask()), ("multiclass", classes())):
            ours = create(name, smooth=0.0)(scores, truth)
            theirs = thing(mode=mode)(scores, truth)
            same(name, f"pytorch_optimizer.loss.{thing.__name__}", ours, theirs, 1e-12)


def test_dice_of_a_detector(same):
    scores, truth = (torch.cat([a, b]) for a, b in zip(mask(), mask(), strict=True))
    ours = create("dice_loss", smooth=1.0)(scores, truth)
    theirs = dice_loss(scores.flatten(1), truth.flatten(1).double(), 2)
    same("dice_loss", "transformers.loss.loss_for_object_detection.dice_loss", ours, theirs, 1e-12)


def test_tversky(same):
    scores, truth = mask()
    ours = create("tversky_loss", smooth=1e-6)(scores, truth)
    theirs = po.TverskyLoss(0.3, 0.7)(scores, truth[:, None].double())
    same("tversky_loss", "pytorch_optimizer.loss.TverskyLoss", ours, theirs, 1e-12)


def test_focal_tversky(same):
    scores, truth = mask()
    ours = create("focal_tversky_loss", smooth=1e-6)(scores, truth)
    theirs = po.FocalTverskyLoss(0.3, 0.7, gamma=0.75)(scores, truth[:, None].double())
    same("focal_tversky_loss", "pytorch_optimizer.loss.FocalTverskyLoss", ours, theirs, 1e-6)


def test_lovasz_hinge(same):
    scores, truth = mask()
    theirs = po.LovaszHingeLoss(per_image=True)(scores[:, 0], truth.double())
    same(
        "lovasz_hinge",
        "pytorch_optimizer.loss.LovaszHingeLoss",
        create("lovasz_hinge")(scores, truth),
        theirs,
        1e-6,
    )


@pytest.mark.parametrize("ignored", [False, True])
def test_cross_entropies(same, ignored):
    scores, truth = classes()
    if ignored:
        truth[torch.rand(truth.shape) < 0.3] = -100
    weight = (0.5, 1.0, 2.0, 4.0)
    theirs = F.cross_entropy(scores, truth, torch.tensor(weight).double())
    ours = create("weighted_ce", weight=weight, by="weights")(scores, truth)
    same("weighted_ce", "torch.nn.functional.cross_entropy", ours, theirs, 1e-12)
    ours = create("topk_ce", k=100)(scores, truth)
    same("topk_ce", "torch.nn.functional.cross_entropy", ours, F.cross_entropy(scores, truth), 1e-12)
