"""The laws of losses over embeddings catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import embeddings

BROKEN = """
import torch
from torch import nn
from torchatlas.losses.metric import CircleLoss, ProxyNCA, TripletLoss


class Pulls(TripletLoss):
    def forward(self, x, y):
        return -super().forward(x, y)


class Corner(TripletLoss):
    def forward(self, x, y):
        return super().forward(x * torch.tensor([1.0, 2.0, 3.0, 4.0]).to(x), y)


class First(TripletLoss):
    def forward(self, x, y):
        return super().forward(x[:-1], y[:-1])


class Named(TripletLoss):
    def forward(self, x, y):
        return super().forward(x, y) * (1 + y[0])


class Squared(TripletLoss):
    def forward(self, x, y):
        return super().forward(x, y) / (1.37 if self.reduction == "mean" else 1)


class Divides(TripletLoss):
    def forward(self, x, y):
        return super().forward(x, y) + 0 / (y[:, None] != y).sum()


class Still(TripletLoss):
    def forward(self, x, y):
        return super().forward(x.detach(), y) + 0 * x.sum()


class Free(CircleLoss):
    def forward(self, x, y, held=None):
        return super().forward(x, y) + 0.1 * x.detach().sum() * x.sum()


class Long(TripletLoss):
    def forward(self, x, y):
        return super().forward(x, y) + (x.square().sum() / 1e9).exp() - 1


class Fixed(ProxyNCA):
    def __init__(self, num_classes=3, width=4, reduction="mean"):
        super().__init__(num_classes, width, reduction)

    def cosines(self, x):
        return self.points(x) @ self.proxies.detach().mT + 0 * self.proxies.sum()


class Hidden(TripletLoss):
    def __init__(self, reduction="mean"):
        super().__init__(reduction=reduction)
        self.scale = nn.Parameter(torch.ones(()))


class Coarse(TripletLoss):
    def forward(self, x, y):
        return super().forward(x, y) * (1 + (x @ x.mT).dtype.itemsize)


class Looks(TripletLoss):
    def forward(self, x, y):
        return super().forward(x, y) * (1 if float(x.detach().sum()) > 0 else 2)
"""
CASES = [
    ("Pulls", "target_is_the_minimum"),
    ("Pulls", "descent_parts_the_classes"),
    ("Still", "gradient_is_right"),
    ("Free", "gradient_is_right"),
    ("Long", "extremes_stay_finite"),
    ("Corner", "rotations_change_nothing"),
    ("First", "order_and_names_change_nothing"),
    ("Named", "order_and_names_change_nothing"),
    ("Squared", "means_divide_sums"),
    ("Divides", "nothing_to_compare_costs_nothing"),
    ("Fixed", "proxies_learn"),
    ("Hidden", "proxies_learn"),
    ("Coarse", "half_precision_is_near"),
    ("Looks", "compiles_and_exports"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_embeddings.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_embeddings", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_loss_is_caught(thing, law):
    where = f"broken_embeddings:{thing}"
    checks = {check.__name__: check for check in embeddings.LAWS}
    with pytest.raises((AssertionError, RuntimeError)):
        checks[law](Card(where, "losses/metric", "loss", where))


def test_every_law_is_seen_to_fail():
    assert {law for _, law in CASES} == {check.__name__ for check in embeddings.LAWS}
