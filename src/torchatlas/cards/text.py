"""Cards as words: what `torchatlas list` and `torchatlas show` print."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .card import Card
from .certificate import certificate_text
from .formulas import readable
from .kinds import KINDS
from .reader import ROOT, UnknownName, catalog, near
from .signature import look_up

WIDTH = 100


def select(
    cards: Iterable[Card], *, family: str = "", topic: str = "", kind: str = "", text: str = ""
) -> list[Card]:
    """The cards that fit every filter; raises `UnknownName` for a family, topic or kind that no card has.

    `family` is a folder or a part of one ("nn", "nn/activations", "activations"); `text` is looked for in
    names, aliases, titles and topics, whatever the case.
    """
    chosen = list(cards)
    for word, what, names in (
        (family.strip("/"), "family", _families),
        (topic, "topic", lambda card: set(card.topics)),
        (kind, "kind", lambda card: {card.kind}),
    ):
        if word:
            known = {name for card in catalog().values() for name in names(card)}
            if word not in known and not (what == "kind" and word in KINDS):
                hint = near(word, known) or f"; there are {', '.join(sorted(known)) or 'none'}"
                raise UnknownName(f"no {what} is called {word!r}{hint}")
            chosen = [card for card in chosen if word in names(card)]
    wanted = text.lower()
    return [c for c in chosen if wanted in " ".join((c.name, *c.aliases, c.title, *c.topics)).lower()]


def _families(card: Card) -> set[str]:
    parts = card.family.split("/")
    return {*parts, *("/".join(parts[:end]) for end in range(1, len(parts) + 1))}


def list_text(cards: Sequence[Card]) -> str:
    """One line per card: name, kind, year, title; the number of cards at the end."""
    name = max((len(c.name) for c in cards), default=0)
    kind = max((len(c.kind) for c in cards), default=0)
    lines = [
        f"{c.name:{name}}  {c.kind:{kind}}  {c.year or '':4}  {readable(c.title)}".rstrip() for c in cards
    ]
    return "\n".join([*lines, f"{len(cards)} method{'' if len(cards) == 1 else 's'}"])


def list_json(cards: Iterable[Card]) -> list[dict[str, Any]]:
    """Every fact of each card as plain values, ready for `json.dumps`."""
    return [asdict(card) for card in cards]


def show_text(card: Card) -> str:
    """All that is known of a method without importing it."""
    seen = look_up(card.where)
    proven, *checked = certificate_text(card).splitlines()
    ours = card.kind == "own" or card.where.startswith(f"{ROOT.name}.")
    body = seen.doc.partition("\n")[2].strip() if ours and seen else card.formula
    words = f"{card.where.replace(':', '.')}{seen if seen else ': its source is not installed here'}"
    facts = {
        "name": card.name,
        "kind": f"{card.kind}: {KINDS[card.kind].contract}",
        "family": card.family,
        "topics": ", ".join(card.topics),
        "paper" if card.paper else "year": ", ".join(str(fact) for fact in (card.paper, card.year) if fact),
        "also called": ", ".join(card.aliases),
        "variant of": card.parent,
        "variants": ", ".join(c.name for c in catalog().values() if c.parent == card.name),
        "signature": words,
        "for numbers": card.regressor.replace(":", "."),
        "options set": _pairs(card.options),
        "recipe": _pairs(card.recipe),
        "published": _pairs(card.figures),
        "licence": card.licence,
        "page": card.page,
        "certificate": proven,
    }
    width = max(map(len, facts)) + 2
    lines = [_hung(f"{label}:", value, width) for label, value in facts.items() if value]
    return "\n".join([readable(card.title) or card.name, *_block(readable(body)), "", *lines, *checked])


def _block(body: str) -> list[str]:
    return ["", textwrap.indent(body, "  ")] if body else []


def _hung(label: str, value: str, width: int) -> str:
    """A labelled value, wrapped under its own beginning."""
    return textwrap.fill(
        value,
        WIDTH,
        initial_indent=f"{label:{width}}",
        subsequent_indent=" " * width,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _pairs(facts: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={f'{value:,}' if isinstance(value, int) and value >= 10_000 else repr(value)}"
        for key, value in facts.items()
    )
