"""The laws of samplers catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import samplers

BROKEN = """
import torch
from torchatlas.data.samplers import ClassBalanced


class Beyond(ClassBalanced):
    def order(self, epoch):
        return super().order(epoch) + 1


class Same(ClassBalanced):
    def order(self, epoch):
        return super().order(0)


class Deaf(ClassBalanced):
    def __init__(self, labels, seed=0):
        super().__init__(labels)


class Carries(ClassBalanced):
    calls = 0

    def order(self, epoch):
        self.calls += 1
        return super().order(self.calls)


class Global(ClassBalanced):
    def order(self, epoch):
        return super().order(epoch)[torch.randperm(self.rows)]


class Instance(ClassBalanced):
    def order(self, epoch):
        return torch.arange(self.rows)


class Longer(ClassBalanced):
    def order(self, epoch):
        return torch.cat([super().order(epoch), super().order(epoch)])


class First(ClassBalanced):
    def order(self, epoch):
        return torch.where(super().order(epoch) == 3, 4, super().order(epoch))
"""
CASES = [
    ("Beyond", "rows_are_there"),
    ("Same", "seed_and_epoch_decide"),
    ("Deaf", "seed_and_epoch_decide"),
    ("Carries", "seed_and_epoch_decide"),
    ("Global", "seed_and_epoch_decide"),
    ("Instance", "classes_come_as_claimed"),
    ("First", "classes_come_as_claimed"),
    ("Longer", "rows_are_there"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_samplers.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_samplers", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_sampler_is_caught(thing, law):
    where = f"broken_samplers:{thing}"
    with pytest.raises(AssertionError):
        getattr(samplers, law)(Card(where, "data/samplers", "sampler", where))
