"""The laws of optimizers catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import optimizers

BROKEN = """
import torch


class Walks(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr)

    def change(self, weight):
        weight.sub_(self.param_groups[0]["lr"] * weight.grad)

    @torch.no_grad()
    def step(self, closure=None):
        for weight in self.param_groups[0]["params"]:
            if weight.grad is not None:
                self.change(weight)


class OnlyMatrices(Walks):
    def change(self, weight):
        if weight.ndim != 1:
            super().change(weight)


class Divides(Walks):
    def change(self, weight):
        weight.sub_(weight.grad / weight.grad.abs())


class Writes(Walks):
    def change(self, weight):
        weight.sub_(weight.grad.mul_(0.1))


class Restless(Walks):
    @torch.no_grad()
    def step(self, closure=None):
        for weight in self.param_groups[0]["params"]:
            weight.mul_(0.9)


class OneRate(Walks):
    @torch.no_grad()
    def step(self, closure=None):
        with torch.enable_grad():
            closure()
        for group in self.param_groups:
            for weight in group["params"]:
                self.change(weight)


class Waits(OneRate):
    def change(self, weight):
        weight.sub_(min(group["lr"] for group in self.param_groups) * weight.grad)


class Mumbles(Walks):
    def change(self, weight):
        if weight.grad.is_sparse:
            raise RuntimeError("unsupported layout")
"""
CASES = [
    ("OnlyMatrices", "every_shape_moves"),
    ("Divides", "nothing_stays_nothing"),
    ("Restless", "nothing_stays_nothing"),
    ("Writes", "gradients_are_left_alone"),
    ("OneRate", "groups_keep_their_rates"),
    ("Waits", "groups_keep_their_rates"),
    ("Mumbles", "strange_gradients_are_taken_or_refused"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_optimizers.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_optimizers", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_optimizer_is_caught(thing, law):
    where = f"broken_optimizers:{thing}"
    with pytest.raises(AssertionError):
        getattr(optimizers, law)(Card(where, "optim", "optimizer", where))
