"""Modules by name, class or maker, told the channels that they ask for and no more."""

from functools import partial

import pytest
from torch import nn

from torchatlas.cards.reader import create
from torchatlas.nn.activations import ACON, FReLU
from torchatlas.nn.choosing import chosen


@pytest.mark.parametrize("choice", ["acon", ACON, partial(create, "acon", form="b"), partial(ACON, form="b")])
def test_what_stands_on_channels_is_told_how_many_and_where(choice):
    act = chosen(choice, 7, dim=-1)
    assert act.beta.shape == (7,) and act.dim == -1 and chosen(choice, 7).dim == 1
    assert act.form == ("b" if isinstance(choice, partial) else "c")


def test_what_wants_maps_is_told_channels_alone():
    assert isinstance(act := chosen("frelu", 7, dim=-1), FReLU) and act.channels == 7


@pytest.mark.parametrize(
    "choice",
    [
        partial(create, "acon", channels=5, dim=2),
        partial(ACON, channels=5, dim=2),
        partial(ACON, 5, dim=2),
        lambda: ACON(5, dim=2),
    ],
)
def test_what_its_maker_has_bound_stays(choice):
    act = chosen(choice, 7, dim=-1)
    assert act.beta.shape == (5,) and act.dim == 2


@pytest.mark.parametrize("choice", ["relu", nn.ReLU, lambda: nn.ReLU()])
def test_what_knows_nothing_of_channels_is_told_nothing(choice):
    assert isinstance(chosen(choice, 7), nn.ReLU)


def test_a_dimension_that_is_not_of_channels_stays():
    assert chosen("softmax", 7).dim == -1
