"""The laws of box losses catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import boxes

BROKEN = """
import torch
from torchatlas.losses.boxes import DIoULoss, IoULoss
from torchatlas.losses.boxes.iou import overlap


class Shifted(DIoULoss):
    def losses(self, a, b):
        return super().losses(a, b) + 0.5


class Still(DIoULoss):
    def losses(self, a, b):
        return super().losses(a.detach(), b) + 0 * a.sum(1)


class Halved(DIoULoss):
    def losses(self, a, b):
        return super().losses(a.detach(), b) + 0.5 * (super().losses(a, b) - super().losses(a.detach(), b))


class Empty(DIoULoss):
    def forward(self, a, b):
        losses = self.losses(a, b)
        return {"mean": losses.mean, "sum": losses.sum, "none": losses.clone}[self.reduction]()


class Whole(DIoULoss):
    def losses(self, a, b):
        loss = super().losses(a, b)
        return loss * (loss / loss.mean().clamp_min(1e-9))


class Cornered(DIoULoss):
    def losses(self, a, b):
        return super().losses(a, b) * (1 + b[:, 0].abs())


class Divides(DIoULoss):
    def losses(self, a, b):
        return super().losses(a, b) + 0 / (a[:, 2] - a[:, 0])


class Away(DIoULoss):
    def losses(self, a, b):
        return overlap(a, b) - overlap(b, b) + 1 - (a == b).all(1).to(a)


class Breaks(DIoULoss):
    def losses(self, a, b):
        return super().losses(a, b) if float(a.detach().sum()) > 0 else super().losses(b, a)
"""
CASES = [
    ("Shifted", "equal_boxes_cost_nothing"),
    ("Still", "gradient_is_right"),
    ("Halved", "gradient_is_right"),
    ("Empty", "reductions_agree"),
    ("Whole", "pairs_stand_alone"),
    ("Cornered", "places_do_not_matter"),
    ("Divides", "any_box_stays_finite"),
    ("Away", "descent_finds_the_box"),
    ("Breaks", "compiles_and_exports"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_boxes.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_boxes", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_box_loss_is_caught(thing, law):
    where = f"broken_boxes:{thing}"
    checks = {check.__name__: check for check in boxes.LAWS}
    with pytest.raises((AssertionError, RuntimeError)):
        checks[law](Card(where, "losses/boxes", "loss", where))
