"""The laws of layers, norms and initialisations catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import layers

BROKEN = """
import torch
from torch import nn
from wrong_modules import NoSecondGradient, Reads, WrongByItsParameter
from torchatlas.nn.normalization import AbstractBatchNorm
from torchatlas.nn.normalization.deviation import Variance


class Joins(nn.Module):
    def forward(self, x):
        return x.flatten(0, 1)


class Centres(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class Single(nn.Module):
    def forward(self, x):
        return x.to(torch.promote_types(x.dtype, torch.float32))


class NotEmpty(nn.Module):
    def forward(self, x):
        return x.flatten(1) / x.abs().max()


class Root(nn.Module):
    def forward(self, x):
        return (x - x.mean(-1, keepdim=True)).square().mean(-1, keepdim=True).sqrt() * x


class Overflows(nn.Module):
    def forward(self, x):
        return x / x.square().mean(-1, keepdim=True).add(1e-30).square().square()


class Autocast(nn.Module):
    def forward(self, x):
        return x.tanh() * (1.5 if torch.is_autocast_enabled("cpu") else 1)


class Forgets(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = torch.zeros(())

    def forward(self, x):
        if self.training:
            self.seen = self.seen + 1
        return x * (1 + self.seen)


class Eager(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, device="cpu"))

    def forward(self, x):
        return x * self.scale


class Off(AbstractBatchNorm):
    def __init__(self):
        super().__init__(4, Variance())

    def while_training(self, x, centre, spread):
        return self.normalised(x, 0.9 * centre, spread)


class Credulous(Off):
    def _enough(self, x):
        return x

    def _follow(self, centre, spread, count):
        pass


class Sums(nn.Module):
    def forward(self, x, y):
        raise RuntimeError("it wants two inputs")


def random(tensor, generator=None):
    return tensor.data.normal_(generator=generator)


def single(tensor, generator=None):
    tensor.data = tensor.data.float().normal_(generator=generator)
    return tensor
"""


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_layers.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_layers", None)


def card(thing: str, kind: str = "layer", **facts: object) -> Card:
    where = thing if ":" in thing else f"broken_layers:{thing}"
    return Card(where, "", kind, where, **facts)


@pytest.mark.parametrize(
    ("thing", "law"),
    [
        ("Joins", layers.keeps_the_batch),
        ("NotEmpty", layers.empty_batches_pass),
        ("Centres", layers.samples_stand_alone),
        ("WrongByItsParameter", layers.gradient_is_right),
        ("NoSecondGradient", layers.second_gradient_is_right),
        ("Root", layers.extremes_stay_finite),
        ("Overflows", layers.extremes_stay_finite),
        ("Reads", layers.compiles_and_exports),
        ("Single", layers.half_precision_is_near),
        ("Autocast", layers.autocast_is_near),
        ("Forgets", layers.state_round_trips),
        ("Eager", layers.builds_without_memory),
        ("Off", layers.batches_are_standardised),
        ("Credulous", layers.one_value_is_refused),
        ("random", layers.fills_in_place),
        ("single", layers.keeps_precision_and_gradients),
    ],
)
def test_a_broken_thing_is_caught(thing, law):
    with pytest.raises((AssertionError, RuntimeError)):
        law(card(thing))


def test_what_draws_nothing_says_so():
    constant = "torchatlas.nn.initialization.fixed:constant_"
    for law in (layers.fills_in_place, layers.seed_decides):
        law(card(constant, "initializer", topics=(layers.FIXED,)))
        with pytest.raises(AssertionError):
            law(card(constant, "initializer"))
    with pytest.raises(AssertionError):
        layers.seed_decides(card("torch.nn.init:normal_", "initializer", topics=(layers.FIXED,)))


def test_a_layer_that_draws_in_evaluation_says_so():
    words = {"kernel_size": 2, "output_ratio": 0.7}
    pool = "torch.nn:FractionalMaxPool2d"
    layers.samples_stand_alone(card(pool, "pool", tiny=words, topics=(layers.RANDOM,)))
    with pytest.raises(AssertionError):
        layers.samples_stand_alone(card(pool, "pool", tiny=words))


@pytest.mark.parametrize("law", layers.NORM_LAWS, ids=lambda law: law.__name__)
def test_a_layer_of_two_inputs_is_left_to_its_own_tests(law):
    law(card("Sums"))


@pytest.mark.parametrize("law", layers.LAWS, ids=lambda law: law.__name__)
def test_a_sound_layer_of_one_s_own_keeps_the_laws(law):
    law(card("torch.nn:Linear", tiny={"in_features": 4, "out_features": 2}))
