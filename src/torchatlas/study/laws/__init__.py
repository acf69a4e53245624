"""Laws: what every method of a kind must do, as small named checks.

`laws_for(card)` yields those that fit a card's kind; the tests and `torchatlas verify` walk the same ones.
"""

from collections.abc import Iterator

from ...cards.card import Card
from . import activations, estimators, layers, learners, losses, networks, optimizers
from .law import Check, Law as Law, LawBroken as LawBroken

LAWS: dict[str, tuple[Check, ...]] = {
    "activation": activations.LAWS,
    "layer": layers.LAWS,
    "norm": layers.LAWS,
    "pool": layers.LAWS,
    "initializer": layers.INITIALIZER_LAWS,
    "network": networks.LAWS,
    "optimizer": optimizers.LAWS,
    "schedule": optimizers.SCHEDULE_LAWS,
    "loss": losses.LAWS,
    "gan_loss": losses.GAN_LAWS + learners.LAWS,
    "learner": learners.LAWS,
    "estimator": estimators.LAWS,
}


def laws_for(card: Card) -> Iterator[Law]:
    """The laws of a card's kind, each ready to be checked; none for kinds that have no laws yet."""
    for check in LAWS.get(card.kind, ()):
        yield Law.of(check, card)
