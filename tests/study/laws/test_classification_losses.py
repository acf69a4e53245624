"""The laws of losses of predictions catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.cards.reader import find
from torchatlas.study.laws import losses

BROKEN = """
import torch
from torch import nn


class Sound(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.loss = nn.CrossEntropyLoss(reduction=reduction)
        self.reduction = reduction

    def forward(self, prediction, target):
        return self.loss(prediction, target)


class Compares(Sound):
    def forward(self, prediction, target):
        return self.loss(prediction, target) + 0 / (target != target[0]).sum()


class Counted(Sound):
    def forward(self, prediction, target):
        return self.loss(prediction, target) * (1 + 0 * (1 / len(target)))


class Mended(Sound):
    def forward(self, prediction, target):
        return self.loss(prediction, target).nan_to_num()


class Coarse(Sound):
    def forward(self, prediction, target):
        return self.loss(prediction, target) * (1.2 if prediction.dtype == torch.bfloat16 else 1)


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.cos())
        return x.sin()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].detach()


class Bends(Sound):
    def forward(self, prediction, target):
        return self.loss(prediction, target) + 1e-3 * Once.apply(prediction).mean()


class Counts(Sound):
    def __init__(self, reduction="mean"):
        super().__init__(reduction)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, prediction, target):
        self.seen += 1
        return self.loss(prediction, target)


class Noisy(Sound):
    def forward(self, prediction, target):
        return self.loss(prediction + torch.rand_like(prediction), target)


class Looks(Sound):
    def forward(self, prediction, target):
        return self.loss(prediction, target) * len(target)


class Waits(Sound):
    def forward(self, prediction, target):
        if float(prediction.detach().sum()) > 0:
            return self.loss(prediction + 0, target)
        return self.loss(prediction, target)


class Learns(Counts):
    def forward(self, prediction, target):
        if self.training and torch.is_grad_enabled():
            self.seen += 1
            if float(self.seen) > 3:
                return 2 * self.loss(prediction, target)
        return self.loss(prediction, target)
"""
CASES = [
    ("Compares", "one_class_alone_is_finite"),
    ("Counted", "nothing_costs_nothing"),
    ("Mended", "nothing_costs_nothing"),
    ("Coarse", "half_precision_is_near"),
    ("Bends", "curvature_is_right"),
    ("Counts", "scoring_moves_nothing"),
    ("Noisy", "scoring_moves_nothing"),
    ("Looks", "scoring_moves_nothing"),
    ("Waits", "compiles_and_exports"),
    ("Learns", "compiles_and_exports"),
]
CHECKS = {check.__name__: check for check in losses.LAWS}


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_scores.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_scores", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_loss_is_caught(thing, law):
    where = f"broken_scores:{thing}"
    with pytest.raises((AssertionError, RuntimeError, ZeroDivisionError)):
        CHECKS[law](Card(where, "losses", "loss", where))


@pytest.mark.parametrize("law", CHECKS)
def test_a_sound_one_is_not(law):
    CHECKS[law](Card("broken_scores:Sound", "losses", "loss", "broken_scores:Sound"))


@pytest.mark.parametrize(
    "name", ["bags", "equalization_loss_v2", "ghm_loss", "seesaw_loss", "dfl", "kl_divergence"]
)
def test_the_prediction_that_meets_the_target_is_best(name):
    prediction, target, best = losses.case(find(name))
    loss = losses.losing(find(name))
    assert prediction.shape == best.shape and len(best) == losses.ROWS
    assert loss(best, target) < loss(prediction, target)
    assert loss(prediction, target) == loss(prediction, target)  # what it counts and draws is the same
