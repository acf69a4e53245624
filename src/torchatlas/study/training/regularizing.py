"""Penalties and augmentations as a recipe names them: one name, or several joined by `+`."""

from typing import Any

from torch import nn

from ...cards.reader import create, find
from ...data.augmented import Augmented
from ...data.spec import Spec
from ...engine.errors import UsageError
from ...engine.learner import Source
from ...losses.penalties.penalty import Penalties
from .words import choice, choice_of, split_sum


def made(key: str, text: str, kind: str) -> list[nn.Module]:
    """What the names of `KEY=TEXT`, a sum, stand for. Raises UsageError for what is not of the kind."""
    named = [choice_of(kind, key, each) for each in split_sum(text)]
    return [create(name, **options) for name, options in named]


def penalty_of(text: str | None) -> nn.Module | None:
    """The penalty that a recipe names: `"l2_regularization(strength=0.001)+r_drop"` is their sum."""
    if text is None:
        return None
    every = made("penalty", text, "penalty")
    return every[0] if len(every) == 1 else Penalties(every)


def augmented(text: str | None, source: Source, spec: Spec, seed: int, device: Any = "cpu") -> Source:
    """A source of training batches, augmented as a recipe says: `"random_flip+random_crop(padding=4)+mixup"`.

    Raises UsageError where the data is not of the form that an augmentation takes.
    """
    if text is None:
        return source
    every = made("augment", text, "augmentation")
    if spec.modality not in ("image", "table"):
        raise UsageError(
            f"augment={text}: images and tables can be augmented, and this data is {spec.modality}"
        )
    for each in split_sum(text):
        name, _ = choice(each)
        if spec.modality == "table" and "vision" in find(name).topics:
            raise UsageError(f"augment={text}: {name} is for images, and this data is a table")
    mixed = [each for each in every if getattr(each, "mixes", False)]
    if mixed and spec.task not in ("classification", "regression", "multilabel"):
        raise UsageError(f"augment={text}: what mixes rows mixes their targets too, and this data has none")
    classes = spec.outputs if spec.task == "classification" else 0
    return Augmented(source, every, seed, device, classes)
