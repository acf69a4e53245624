"""Laws: what every method of a kind must do, as small named checks.

`laws_for(card)` yields those that fit a card's kind; the tests and `torchatlas verify` walk the same ones.
"""

from collections.abc import Iterator

from ...cards.card import Card
from . import (
    activations,
    adversarial,
    agents,
    attacks,
    augmentations,
    boxes,
    compressions,
    densities,
    diffusions,
    distillation,
    embeddings,
    estimators,
    explanations,
    images,
    layers,
    learners,
    losses,
    masks,
    metrics,
    networks,
    optimizers,
    penalties,
    positions,
    samplers,
    sequences,
)
from .law import Check, Law as Law, LawBroken as LawBroken

LAWS: dict[str, tuple[Check, ...]] = {
    "activation": activations.LAWS,
    "layer": layers.LAWS,
    "norm": layers.NORM_LAWS,
    "pool": layers.LAWS,
    "initializer": layers.INITIALIZER_LAWS,
    "network": networks.LAWS,
    "optimizer": optimizers.LAWS,
    "optim/wrappers": optimizers.JOINT_LAWS,
    "optim/gradient_free": optimizers.JOINT_LAWS,
    "schedule": optimizers.SCHEDULE_LAWS,
    "loss": losses.LAWS,
    "losses/boxes": boxes.LAWS,
    "losses/distillation": distillation.LAWS,
    "losses/masks": masks.LAWS,
    "losses/metric": embeddings.LAWS,
    "losses/sequence": sequences.LAWS,
    "sampler": samplers.LAWS,
    "augmentation": augmentations.LAWS,
    "gan_loss": adversarial.LAWS + learners.LAWS,
    "learner": learners.LAWS,
    "learning/reinforcement": learners.LAWS + agents.LAWS,
    "penalty": penalties.LAWS,
    "position": positions.LAWS,
    "metric": metrics.LAWS,
    "tool": (),  # each has a closed form of its own as its reference
    "estimator": estimators.LAWS,
    "attack": attacks.LAWS,
    "explanation": explanations.LAWS,
    "compression": compressions.LAWS,
}


PUBLISHED = (networks.has_the_stated_size, images.full_size_runs)  # what `tiny` has no part in


def laws_for(card: Card) -> Iterator[Law]:
    """The laws of a card's family or kind, each ready to be checked; none for kinds that have no laws yet.

    Learners with densities, flows and diffusions keep the laws of those too, and networks of images theirs.
    Of a network that another stands for in the laws' setting only its published size is checked.
    """
    family = "" if card.kind == "tool" else card.family  # a decoder beside a loss is no loss
    checks = LAWS.get(family, LAWS.get(card.kind, ()))
    if card.kind == "learner":
        checks += learners.DENSITY_LAWS if learners.has_density(card) else ()
        checks += densities.LAWS if densities.is_density(card) else ()
        checks += diffusions.LAWS if diffusions.is_diffusion(card) else ()
    if card.kind == "network":
        checks += images.laws_of(card)
        checks = checks if networks.stands_for_itself(card) else tuple(c for c in checks if c in PUBLISHED)
    for check in checks:
        yield Law.of(check, card)
