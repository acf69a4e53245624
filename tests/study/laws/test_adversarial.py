"""The laws of GAN loss pairs catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.cards.reader import catalog
from torchatlas.study.laws import LAWS, adversarial, laws_for

BROKEN = """
import torch
from torchatlas.losses.adversarial_pairs import Minimax, Relativistic, Wasserstein, WassersteinGP


class Vector:
    def critic(self, real, fake):
        return (fake - real).square()

    def generator(self, fake):
        return -fake


class Swapped(Minimax):
    def critic(self, real, fake):
        return super().critic(fake, real)


class Sinks(Wasserstein):
    def generator(self, fake):
        return fake.mean()


class Detached(Minimax):
    def critic(self, real, fake):
        return super().critic(real, fake) + super().critic(real.detach(), fake)


class Claims(Minimax):
    relative = True


class Together(Minimax):
    batchwise = True


class Alone(Relativistic):
    def __init__(self):
        super().__init__(average=True)
        self.batchwise = False


class First(WassersteinGP):
    def penalty(self, critic, real, fake):
        x = real.detach().requires_grad_()
        with torch.enable_grad():
            (grad,) = torch.autograd.grad(critic(x).sum(), x)
            return (grad.norm(dim=1) - 1).square().mean() + 0 * critic(x).sum()
"""
CASES = [
    ("Vector", "gan_losses_are_scalars"),
    ("Detached", "gan_gradients_are_right"),
    ("Swapped", "gan_sides_pull_apart"),
    ("Sinks", "gan_sides_pull_apart"),
    ("Claims", "gan_pairs_say_what_they_are"),
    ("Together", "gan_pairs_say_what_they_are"),
    ("Alone", "gan_pairs_say_what_they_are"),
    ("First", "gan_penalties_are_right"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_pairs.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_pairs", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_pair_is_caught(thing, law):
    where = f"broken_pairs:{thing}"
    checks = {check.__name__: check for check in adversarial.LAWS}
    with pytest.raises((AssertionError, RuntimeError)):
        checks[law](Card(where, "losses/adversarial_pairs", "gan_loss", where))


def test_every_law_is_seen_to_fail():
    assert {law for _, law in CASES} == {check.__name__ for check in adversarial.LAWS}


def test_tools_beside_losses_keep_no_laws_of_losses():
    tools = [card for card in catalog().values() if card.kind == "tool" and card.family in LAWS]
    assert tools and not [law for card in tools for law in laws_for(card)]
