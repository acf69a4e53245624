"""The laws of activations catch what is broken in one way, and suit activations that stand on channels."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import activations

BROKEN = """
import torch
from torch import nn
from wrong_modules import NoSecondGradient, Reads, WrongByItsParameter


class Autocast(nn.Module):
    def forward(self, x):
        return x.tanh() * (1.1 if torch.is_autocast_enabled("cpu") else 1)


class InfiniteByItsParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.power = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return x.tanh() + 0 * (self.power * x.abs()).exp().clamp(max=1)


class RightAtOne(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x.tanh() * self.scale + (x.tanh() - x.tanh().detach()) * (1 - self.scale.detach())


class Sums(nn.Module):
    def forward(self, x):
        return x.sum(-1)


class Centres(nn.Module):
    def forward(self, x):
        return (x - x.mean(0)).tanh()


class Single(nn.Module):
    def forward(self, x):
        return x.tanh().to(torch.promote_types(x.dtype, torch.float32))


class PerChannel(nn.Module):
    def __init__(self, channels, dim=1):
        super().__init__()
        self.dim, self.slope = dim, nn.Parameter(torch.rand(channels))

    def forward(self, x):
        shape = [1] * x.dim()
        shape[self.dim] = -1
        return x.tanh() * self.slope.view(shape)


class OnMaps(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.window = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x):
        return self.window(x).tanh()
"""


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_activations.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_activations", None)


def card(thing: str, **tiny: object) -> Card:
    where = f"broken_activations:{thing}"
    return Card(where, "", "activation", where, tiny=tiny)


@pytest.mark.parametrize(
    ("thing", "law"),
    [
        ("Sums", activations.keeps_the_shape),
        ("Centres", activations.samples_stand_alone),
        ("WrongByItsParameter", activations.gradient_is_right),
        ("RightAtOne", activations.gradient_is_right),
        ("NoSecondGradient", activations.second_gradient_is_right),
        ("Reads", activations.compiles_and_exports),
        ("Autocast", activations.autocast_is_near),
        ("InfiniteByItsParameter", activations.extremes_stay_finite),
        ("Single", activations.half_precision_is_near),
    ],
)
def test_a_broken_activation_is_caught(thing, law):
    with pytest.raises((AssertionError, RuntimeError)):
        law(card(thing))


@pytest.mark.parametrize(("thing", "tiny"), [("PerChannel", {"channels": 3}), ("OnMaps", {"channels": 4})])
@pytest.mark.parametrize("law", activations.LAWS, ids=lambda law: law.__name__)
def test_a_sound_activation_on_channels_keeps_the_laws(thing, tiny, law):
    law(card(thing, **tiny))
