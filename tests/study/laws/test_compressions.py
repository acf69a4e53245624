"""The laws of compressions catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import compressions

BROKEN = """
from functools import partial
import torch
from torch.nn.utils import parametrize, prune
from torchatlas.inspection.compression import make_permanent, pruning_magnitude


def in_place(**options):
    def compress(model):
        model.load_state_dict(make_permanent(pruning_magnitude(model, **options)).state_dict())
        return model

    return compress


def one_too_many(**options):
    def compress(model):
        small = pruning_magnitude(model, **options)
        with torch.no_grad():
            weight = small.head.parametrizations.weight.original
            weight.view(-1)[weight.abs().argmax()] = 0
        return small

    return compress


def always_by_layer(sparsity=0.9, scope="layer"):
    return partial(pruning_magnitude, sparsity=sparsity)


def rescaled(**options):
    def compress(model):
        small = pruning_magnitude(model, **options)
        with torch.no_grad():
            small.head.parametrizations.weight.original.mul_(2)
        return small

    return compress


def biases_too(**options):
    def compress(model):
        small = pruning_magnitude(model, **options)
        torch.nn.init.zeros_(small.body.bias)
        return small

    return compress


def unmasked(**options):
    return lambda model: make_permanent(pruning_magnitude(model, **options))


def frozen(**options):
    return lambda model: pruning_magnitude(model, **options).requires_grad_(False)


def never_nothing(sparsity=0.9):
    return partial(pruning_magnitude, sparsity=max(sparsity, 0.1))
"""
CASES = [
    ("in_place", "the_model_given_stays_whole"),
    ("frozen", "the_model_given_stays_whole"),
    ("one_too_many", "sparsity_is_exact"),
    ("always_by_layer", "sparsity_is_exact"),
    ("rescaled", "other_values_stay"),
    ("biases_too", "other_values_stay"),
    ("unmasked", "zeros_stay_zero"),
    ("never_nothing", "nothing_taken_changes_nothing"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_compressions.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_compressions", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_compression_is_caught(thing, law):
    where = f"broken_compressions:{thing}"
    with pytest.raises(AssertionError):
        getattr(compressions, law)(Card(where, "inspection/compressions", "compression", where))
