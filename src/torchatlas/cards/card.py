"""What the atlas knows of a method before importing it. This floor never imports torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])
VARIANT_FACTS = ("aliases", "year", "paper", "topics", "licence", "recipe", "tiny", "figures")


@dataclass(frozen=True, slots=True)
class Card:
    """One method: its name, where it lives, and the facts that need no import to be read."""

    name: str
    family: str  # the folder under the package: "nn/activations"; "" for a user's own thing
    kind: str  # a key of `kinds.KINDS`: it names the contract
    where: str  # "package.module:Thing"; the thing may be borrowed from another library
    title: str = ""  # the docstring's first line
    year: int | None = None
    paper: str = ""
    aliases: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    formula: str = ""  # borrowed things only: our own say it in their docstring
    licence: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)  # bound when the name is created
    recipe: Mapping[str, Any] = field(default_factory=dict)  # training defaults: {"lr": 0.002}
    tiny: Mapping[str, Any] = field(default_factory=dict)  # the smallest useful setting, for laws
    figures: Mapping[str, Any] = field(default_factory=dict)  # published figures: {"parameters": 44426}
    parent: str = ""  # a variant's or a borrowed setting's method
    regressor: str = ""  # borrowed estimators only: the twin of `where` that predicts numbers
    page: str = ""  # source file that holds the card, relative to the package


def method(
    name: str,
    *,
    kind: str = "",
    year: int | None = None,
    paper: str = "",
    aliases: tuple[str, ...] = (),
    topics: tuple[str, ...] = (),
    licence: str = "",
    recipe: Mapping[str, Any] | None = None,
    tiny: Mapping[str, Any] | None = None,
    figures: Mapping[str, Any] | None = None,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[T], T]:
    """Mark our own class or function as a method of the atlas; the reader takes the rest from the text.

    `variants={"resnet18": {"layers": (2, 2, 2, 2), "figures": {...}}}` gives further cards of the same thing:
    each value holds options, and among them the facts in which the variant differs (see `VARIANT_FACTS`).
    All words are literals, and the call starts at the beginning of a line: it is read without being run.
    """

    def mark(thing: T) -> T:
        thing.__atlas__ = name  # type: ignore[attr-defined]
        return thing

    return mark


def borrowed(
    name: str,
    where: str,
    title: str,
    *,
    kind: str = "",
    formula: str = "",
    year: int | None = None,
    paper: str = "",
    aliases: tuple[str, ...] = (),
    topics: tuple[str, ...] = (),
    licence: str = "",
    options: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    tiny: Mapping[str, Any] | None = None,
    figures: Mapping[str, Any] | None = None,
    parent: str = "",
    regressor: str = "",
) -> None:
    """State a card for what a library already has ("torch.optim:Adam"); nothing is set on foreign things.

    All words are literals, and the call starts at the beginning of a line: it is read without being run.
    """
