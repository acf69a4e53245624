"""The laws of positions catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import positions

BROKEN = """
import torch
from torch import nn
from torchatlas.nn.positions import ALiBi, LearnedPosition, RotaryPosition, ShawRelative


class Scales(LearnedPosition):
    def forward(self, x):
        return x + x * self.vectors(x.shape[1])


class Same(LearnedPosition):
    def vectors(self, length):
        return self.weight[:1].expand(length, -1)


class FromTheEnd(LearnedPosition):
    def vectors(self, length):
        return self.weight[:length].flip(0)


class Shrinks(RotaryPosition):
    def forward(self, q, k):
        q, k = super().forward(q, k)
        return 0.9 * q, k


class Absolute(ALiBi):
    def forward(self, q, k):
        return super().forward(q, k) * torch.arange(1, q.shape[-2] + 1)[:, None]


class Flat(ALiBi):
    def forward(self, q, k):
        return 0 * super().forward(q, k)


class First(ALiBi):
    def forward(self, q, k):
        n, m = q.shape[-2], k.shape[-2]
        return -self.slopes[:, None, None] * (torch.arange(m) - torch.arange(n)[:, None]).abs().to(q.dtype)


class Peeks(ALiBi):
    def attend(self, q, k, v, mask=None):
        return super().attend(q, k, v)


class Stops(ShawRelative):
    def forward(self, q, k):
        return super().forward(q.detach(), k)


class OfTheBatch(LearnedPosition):
    def forward(self, x):
        return super().forward(x) + (0 * x.flatten()[0])


class Squares(ALiBi):
    def forward(self, q, k):
        return super().forward(q, k) + (q.square().square() * 1e9).square().sum(-1, keepdim=True)


class Wide(ALiBi):
    def attend(self, q, k, v, mask=None):
        return super().attend(q.float(), k.float(), v.float(), mask)


class Reads(LearnedPosition):
    def forward(self, x):
        return super().forward(x) if float(x.detach().sum()) > 0 else super().forward(x) + 0


class Eager(LearnedPosition):
    def __init__(self, context, width):
        super().__init__(context, width)
        self.weight = nn.Parameter(torch.ones(context, width, device="cpu"))
"""
ADDED, SCORED = {"context": 12, "width": 6}, {"heads": 2}


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_positions.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_positions", None)


@pytest.mark.parametrize(
    ("thing", "words", "law"),
    [
        ("Scales", ADDED, positions.adds_the_same_to_all),
        ("Same", ADDED, positions.places_differ),
        ("FromTheEnd", ADDED, positions.shorter_is_the_beginning),
        ("Shrinks", {}, positions.turning_keeps_lengths),
        ("Absolute", SCORED, positions.scores_depend_on_distance),
        ("Flat", SCORED, positions.scores_depend_on_distance),
        ("First", SCORED, positions.fewer_queries_are_the_last),
        ("Peeks", SCORED, positions.attention_is_masked),
        ("Stops", {"head_width": 4}, positions.gradient_is_right),
        ("OfTheBatch", ADDED, positions.empty_batches_pass),
        ("Squares", SCORED, positions.extremes_stay_finite),
        ("Wide", SCORED, positions.half_precision_is_near),
        ("Reads", ADDED, positions.compiles_and_exports),
        ("Eager", ADDED, positions.builds_without_memory),
    ],
)
def test_a_broken_position_is_caught(thing, words, law):
    where = f"broken_positions:{thing}"
    with pytest.raises((AssertionError, RuntimeError, IndexError)):
        law(Card(where, "", "position", where, tiny=words))


def test_every_law_is_tried():
    marks = test_a_broken_position_is_caught.pytestmark
    assert {case[2] for case in marks[0].args[1]} == set(positions.LAWS)
