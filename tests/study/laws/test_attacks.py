"""The laws of attacks catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import attacks

BROKEN = """
from functools import partial
import torch
from torch.nn.functional import cross_entropy
from torchatlas.inspection.attacks import fgsm, pgd


def bound(attack):
    return lambda **options: partial(attack, **options)


@bound
def too_far(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    return fgsm(model, x, y, epsilon * 1.001, low, high, targeted)


@bound
def too_near(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    return fgsm(model, x, y, epsilon / 2, low, high, targeted)


@bound
def out_of_range(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    return fgsm(model, x, y, epsilon, -9, 9, targeted)


@bound
def never_still(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    return fgsm(model, x, y, epsilon + 1e-3, low, high, targeted)


@bound
def downhill(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    return fgsm(model, x, y, epsilon, low, high, not targeted)


@bound
def blind(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    sign = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype).sign()
    return (x + epsilon * sign).clamp(low, high)


@bound
def trains(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    x = x.clone().requires_grad_()
    cross_entropy(model(x), y).backward()
    return (x + epsilon * x.grad.sign()).clamp(low, high).detach()


@bound
def wakes(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    moved = fgsm(model, x, y, epsilon, low, high, targeted)
    model.train()
    return moved


@bound
def mean_of_batch(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False):
    return (fgsm(model, x, y, epsilon, low, high, targeted) - x).mean(0) + x


def deaf(**options):
    def attack(model, x, y, epsilon=0.1, low=0.0, high=1.0, targeted=False, generator=None):
        return pgd(model, x, y, epsilon, low, high, targeted)

    return partial(attack, **options)
"""
CASES = [
    ("too_far", "stays_in_its_ball_and_range"),
    ("too_near", "stays_in_its_ball_and_range"),
    ("out_of_range", "stays_in_its_ball_and_range"),
    ("never_still", "epsilon_zero_changes_nothing"),
    ("downhill", "raises_the_loss"),
    ("blind", "raises_the_loss"),
    ("downhill", "a_target_is_approached"),
    ("trains", "the_model_notices_nothing"),
    ("wakes", "the_model_notices_nothing"),
    ("mean_of_batch", "rows_do_not_meet"),
    ("deaf", "the_generator_decides"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_attacks.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_attacks", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_attack_is_caught(thing, law):
    where = f"broken_attacks:{thing}"
    with pytest.raises(AssertionError):
        getattr(attacks, law)(Card(where, "inspection/attacks", "attack", where))
