"""From an estimator's parameters to a recipe, and from arrays to a trained learner: the loop of every run."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
import torch

from ..cards.card import Card
from ..data.resident import Resident
from ..data.spec import Part, Spec
from ..engine.environment import pick_device
from ..engine.errors import UsageError
from ..engine.learner import TRIAL, Learner, batches, mean_scores
from ..engine.loop import Loop
from ..engine.randomness import reseed
from ..engine.record import Event
from ..study.training.build import (
    build,
    factory,
    is_classical,
    make_optimizers,
    make_sampler,
    make_schedules,
    wanted_size,
)
from ..study.training.loops import plan, steps_of
from ..study.training.recipe import Recipe
from ..study.training.resolve import card_of, resolve

WHOLE = 256  # a table of so many rows is one batch, where no size is said
LEAST_STEPS = 200  # where no budget is said
VALID = 0.15  # the share of the rows that `patience` watches
USELESS = {"test", "split", "fold", "metric", "threads", "save_every", "save_every_steps", "start"}
BUDGETS = {"epochs", "steps", "minutes"}
ALONE = RLock()  # torch has one random state for all threads


@dataclass(frozen=True)
class Method:
    """A network as an estimator was given it: by its name, as "module:Thing", or as a callable."""

    card: Card
    thing: Any = None  # one's own class or function

    @classmethod
    def of(cls, network: Any) -> "Method":
        """Raises UsageError for what is no network."""
        if not isinstance(network, str) and not callable(network):
            raise UsageError(
                f"network={network!r} must be a name, or a class or function that makes a network"
            )
        card = card_of(network)
        if is_classical(card):
            raise UsageError(
                f"{card.name} is an estimator of scikit-learn itself: take {card.where} as it is"
            )
        return cls(card, network if card.kind == "own" and not isinstance(network, str) else None)

    def image_size(self, options: Mapping[str, Any], folded: bool) -> tuple[int, int] | None:
        """The size that its images must have, if any. Raises UsageError where it wants images, not rows."""
        if folded:
            return wanted_size(self.card, options, self.thing)
        words = inspect.signature(factory(self.card, self.thing)).parameters
        if "in_channels" in words and "in_features" not in words:
            raise UsageError(f"{self.card.name} takes images: give input_shape=(channels, height, width)")
        return None


def make_recipe(network: Any, rows: int, said: Mapping[str, Any], options: Mapping[str, Any]) -> Recipe:
    """The recipe of a fit: what is said, else what the network's card says.

    said: the estimator's own parameters that are not None. options: those of the network, and further fields.
    """
    for word in options:
        if word in said or word in USELESS:
            why = "is said twice" if word in said else "means nothing to an estimator"
            raise UsageError(f"{word!r} {why}: leave it out of options")
    settings = {"valid": VALID if "patience" in said else 0.0, **options, **said}
    if rows <= WHOLE:
        settings.setdefault("batch_size", rows)
    plain = {word: v.item() if isinstance(v, np.generic) else v for word, v in settings.items()}
    recipe = resolve(network, "rows", plain)
    if BUDGETS.isdisjoint(settings) and steps_of(recipe, -(-rows // recipe.batch_size)) < LEAST_STEPS:
        return recipe.model_copy(update={"epochs": None, "steps": LEAST_STEPS})
    return recipe


@dataclass(frozen=True)
class Trained:
    """A trained learner, the steps it took, and the lines of its record."""

    learner: Learner
    steps: int
    history: list[dict[str, Any]]


def train_learner(recipe: Recipe, method: Method, spec: Spec, train: Part, valid: Part | None) -> Trained:
    """Train the method on one part, in that part's precision; with a second part the best weights are kept.

    Torch's random state is afterwards what it was. Fits in several threads take turns.
    """
    device = pick_device(recipe.device)
    with ALONE, torch.random.fork_rng([device] if device.type == "cuda" else []):
        reseed("cpu", recipe.seed, "init")
        learner = build(recipe, spec, method.thing).to(device, train.x.dtype)
        if type(learner).predict is Learner.predict:
            raise UsageError(f"{recipe.method} predicts no targets: choose a network, such as mlp")
        sampler = make_sampler(recipe, method.card, train)
        source = Resident(train, recipe.batch_size, recipe.seed, device, sampler)
        steps = steps_of(recipe, source.steps_per_epoch)
        optimizers = make_optimizers(recipe, learner, method.card)
        watched = valid.to(device).tensors() if valid is not None and learner.monitor else None
        history: list[dict[str, Any]] = []
        loop = Loop(
            learner,
            source,
            optimizers,
            plan(recipe, steps),
            schedules=make_schedules(recipe, optimizers, steps, method.card),
            validate=None if watched is None else lambda kept: mean_scores(kept, batches(watched, TRIAL)),
            listeners=[lambda event: _keep(history, event)],
        )
        loop.run()
        loop.restore_best()
    learner.zero_grad(set_to_none=True)
    return Trained(learner.eval(), loop.step, history)


def _keep(history: list[dict[str, Any]], event: Event) -> None:
    if event.kind in ("train", "valid"):
        history.append({"kind": event.kind, "step": event.step, "epoch": event.epoch, **event.values})
