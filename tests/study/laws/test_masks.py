"""The laws of losses of segmentations catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import masks

BROKEN = """
import torch
from torchatlas.losses.masks import DiceLoss


class Turned(DiceLoss):
    def losses(self, scores, truth, counted):
        return -super().losses(scores, truth, counted)


class Binary(DiceLoss):
    def losses(self, scores, truth, counted):
        return super().losses(-scores if scores.shape[1] == 1 else scores, truth, counted)


class Halved(DiceLoss):
    def losses(self, scores, truth, counted):
        still = super().losses(scores.detach(), truth, counted)
        return still + 0.5 * (super().losses(scores, truth, counted) - still)


class Pixels(DiceLoss):
    def losses(self, scores, truth, counted):
        return super().losses(scores, truth, counted)[:, None].expand(-1, 2)


class Batch(DiceLoss):
    def losses(self, scores, truth, counted):
        loss = super().losses(scores, truth, counted)
        return loss * (1 + loss.mean())


class Counts(DiceLoss):
    def losses(self, scores, truth, counted):
        return super().losses(scores, truth, torch.ones_like(counted))


class Logs(DiceLoss):
    def losses(self, scores, truth, counted):
        return super().losses(scores, truth, counted) - 1e-3 * scores.softmax(1).log().flatten(1).mean(1)


class Corner(DiceLoss):
    def losses(self, scores, truth, counted):
        return super().losses(scores, truth, counted) + 0.01 * scores.flatten(1)[:, 0].square()


class Breaks(DiceLoss):
    def losses(self, scores, truth, counted):
        if float(scores.detach().sum()) > 0:
            return super().losses(scores, truth, counted)
        return super().losses(scores, truth, counted) + 0
"""
CASES = [
    ("Turned", "right_scores_are_the_minimum"),
    ("Binary", "right_scores_are_the_minimum"),
    ("Halved", "gradient_is_right"),
    ("Pixels", "reductions_agree"),
    ("Batch", "images_stand_alone"),
    ("Counts", "ignored_pixels_do_not_count"),
    ("Logs", "extremes_stay_finite"),
    ("Corner", "mirrors_change_nothing"),
    ("Breaks", "compiles_and_exports"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_masks.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_masks", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_loss_of_masks_is_caught(thing, law):
    where = f"broken_masks:{thing}"
    checks = {check.__name__: check for check in masks.LAWS}
    with pytest.raises((AssertionError, RuntimeError)):
        checks[law](Card(where, "losses/masks", "loss", where))
