"""The laws of explanations catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import explanations

BROKEN = """
import torch
from torchatlas.inspection.explanations import saliency


def with_channels():
    return lambda model, x, y=None: saliency(model, x, y)[:, None]


def everywhere():
    return lambda model, x, y=None: saliency(model, x, y) + 1e-9


def nothing():
    return lambda model, x, y=None: saliency(model, x, y) * 0


def by_size():
    return lambda model, x, y=None: saliency(lambda z: model(z) ** 2, x, y)


def first_class():
    return lambda model, x, y=None: saliency(model, x, torch.zeros(len(x), dtype=torch.long))


def scaled_by_the_batch():
    def explain(model, x, y=None):
        found = saliency(model, x, y)
        return found / found.max()

    return explain


def unweighed():
    return lambda model, x, y=None, layer=None: model.maps(x).mean(1).detach()


def leaves_a_hook():
    def explain(model, x, y=None):
        model.register_forward_hook(lambda *told: None)
        return saliency(model, x, y)

    return explain


def wakes():
    def explain(model, x, y=None):
        found = saliency(model, x, y)
        model.train()
        return found

    return explain
"""
CASES = [
    ("with_channels", "map_has_the_inputs_form"),
    ("nothing", "map_has_the_inputs_form"),
    ("everywhere", "unused_inputs_have_none"),
    ("unweighed", "unused_maps_count_nothing"),
    ("leaves_a_hook", "the_model_notices_nothing"),
    ("by_size", "a_constant_changes_nothing"),
    ("first_class", "the_class_decides"),
    ("scaled_by_the_batch", "rows_do_not_meet"),
    ("wakes", "the_model_notices_nothing"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_explanations.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_explanations", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_explanation_is_caught(thing, law):
    where = f"broken_explanations:{thing}"
    with pytest.raises(AssertionError):
        getattr(explanations, law)(Card(where, "inspection/explanations", "explanation", where))
