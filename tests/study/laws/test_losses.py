"""The laws of losses over embeddings and sequences catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import losses

BROKEN = """
import torch
from torch import nn
from torchatlas.losses.metric import TripletLoss


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
        return super().forward(x, y) + 0 / (y != y[0]).sum()


class Still(TripletLoss):
    def forward(self, x, y):
        return super().forward(x.detach(), y) + 0 * x.sum()


class Padded(nn.CTCLoss):
    def forward(self, y, labels, frames, lengths):
        return super().forward(y, labels, torch.full_like(frames, len(y)), lengths)


class Greedy(nn.CTCLoss):
    def forward(self, y, labels, frames, lengths):
        return 2 * super().forward(y, labels, frames, lengths)
"""
CASES = [
    ("metric", "Pulls", "target_is_the_minimum"),
    ("metric", "Pulls", "descent_parts_the_classes"),
    ("metric", "Still", "gradient_is_right"),
    ("metric", "Corner", "rotations_change_nothing"),
    ("metric", "First", "order_and_names_change_nothing"),
    ("metric", "Named", "order_and_names_change_nothing"),
    ("metric", "Squared", "means_divide_sums"),
    ("metric", "Divides", "nothing_to_compare_costs_nothing"),
    ("sequence", "Padded", "padding_does_not_count"),
    ("sequence", "Greedy", "sequences_share_one"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_losses.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_losses", None)


@pytest.mark.parametrize(("family", "thing", "law"), CASES)
def test_a_broken_loss_is_caught(family, thing, law):
    where = f"broken_losses:{thing}"
    checks = {check.__name__: check for check in (*losses.EMBEDDING_LAWS, *losses.SEQUENCE_LAWS)}
    with pytest.raises((AssertionError, RuntimeError)):
        checks[law](Card(where, f"losses/{family}", "loss", where))
