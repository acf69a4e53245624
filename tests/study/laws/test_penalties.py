"""The laws of penalties catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import penalties

BROKEN = """
import torch
from torchatlas.losses.penalties import GradientPenaltyInputs, L2Regularization


class Vector(L2Regularization):
    def forward(self, network, *batch):
        return super().forward(network).expand(3)


class Detached(L2Regularization):
    def forward(self, network, *batch):
        return super().forward(network).detach()


class Moves(L2Regularization):
    def forward(self, network, *batch):
        with torch.no_grad():
            for p in network.parameters():
                p.mul_(0.9)
        return super().forward(network)


class Judges(L2Regularization):
    def forward(self, network, *batch):
        network.eval()
        return super().forward(network)


class Fixed(L2Regularization):
    def forward(self, network, *batch):
        return super().forward(network) + 1


class Backwards(L2Regularization):
    def forward(self, network, *batch):
        value = super().forward(network)
        return 2 * value.detach() - value


class Sums(GradientPenaltyInputs):
    def forward(self, network, x, prediction, loss):
        return super().forward(network, x, prediction, loss) * len(x)


class Mixed(L2Regularization):
    def forward(self, network, *batch):
        weight = next(network.parameters())
        left = torch.ones(1, len(weight), dtype=weight.dtype)
        return self.strength * torch.dot((left @ weight)[0], weight[0])
"""
CASES = [
    ("Vector", "is_one_number"),
    ("Detached", "is_one_number"),
    ("Moves", "leaves_no_trace"),
    ("Judges", "leaves_no_trace"),
    ("Fixed", "strength_is_a_factor"),
    ("Backwards", "descent_makes_it_smaller"),
    ("Sums", "parts_add_up"),
    ("Mixed", "autocast_is_near"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_penalties.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_penalties", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_penalty_is_caught(thing, law):
    where = f"broken_penalties:{thing}"
    checks = {check.__name__: check for check in penalties.LAWS}
    with pytest.raises((AssertionError, RuntimeError)):
        checks[law](Card(where, "losses/penalties", "penalty", where))
