"""The laws of losses between sequences catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import sequences

BROKEN = """
import torch
from torch import nn


class Padded(nn.CTCLoss):
    def forward(self, y, labels, frames, lengths):
        return super().forward(y, labels, torch.full_like(frames, len(y)), lengths)


class Greedy(nn.CTCLoss):
    def forward(self, y, labels, frames, lengths):
        return 2 * super().forward(y, labels, frames, lengths)


class Reversed(nn.CTCLoss):
    def forward(self, y, labels, frames, lengths):
        return -super().forward(y, labels, frames, lengths)


class Still(nn.CTCLoss):
    def forward(self, y, labels, frames, lengths):
        return super().forward(y.detach(), labels, frames, lengths) + 0 * y.sum()


class PerFrame(nn.CTCLoss):
    def forward(self, y, labels, frames, lengths):
        return super().forward(y, labels, frames, lengths) / (1 if self.reduction == "sum" else 7)


class Naive(nn.CTCLoss):
    def forward(self, y, labels, frames, lengths):
        return super().forward(y, labels, frames, lengths).neg().exp().log().neg()
"""
CASES = [
    ("Reversed", "target_is_the_minimum"),
    ("Still", "gradient_is_right"),
    ("PerFrame", "reductions_agree"),
    ("Naive", "extremes_stay_finite"),
    ("Padded", "padding_does_not_count"),
    ("Greedy", "sequences_share_one"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_sequences.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_sequences", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_loss_is_caught(thing, law):
    where = f"broken_sequences:{thing}"
    checks = {check.__name__: check for check in sequences.LAWS}
    with pytest.raises((AssertionError, RuntimeError)):
        checks[law](Card(where, "losses/sequence", "loss", where))


def test_every_law_is_seen_to_fail():
    assert {law for _, law in CASES} == {check.__name__ for check in sequences.LAWS}
