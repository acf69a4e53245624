"""`verify`: prove methods here and now, or tell what is stored of them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import click

from ..cards import certificate as store
from ..cards.card import Card
from ..cards.certificate import Certificate
from ..cards.reader import catalog, find
from . import options as o


@click.command(short_help="Prove methods: laws, references, figures.")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every method of the atlas.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at a time; one per core by default.")
@click.option("--stored", is_flag=True, help="Run nothing: tell what is stored, and whether it is fresh.")
@o.as_json
def verify(names: tuple[str, ...], everything: bool, jobs: int | None, stored: bool, as_json: bool) -> None:
    """Prove the methods NAMES (or module:Thing of your own): each keeps the laws of its kind.

    Where the tests are, in a checkout, its reference is run too; elsewhere that line is told as stored.
    """
    if bool(names) == everything:
        raise click.UsageError("say what to prove: torchatlas verify NAME…, or torchatlas verify --all")
    cards = list(catalog().values()) if everything else list({(c := find(n)).name: c for n in names}.values())
    found: list[Certificate] = []
    for certificate in _stored(cards) if stored else _run(cards, jobs):
        found.append(certificate)
        if not as_json:
            click.echo(_told(certificate, max(len(card.name) for card in cards), in_full=not everything))
    if as_json:
        click.echo(json.dumps([_plain(certificate, stored) for certificate in found], indent=1))
    elif len(found) > 1:
        click.echo(_counted(found))
    if any(certificate.passes is False for certificate in found):
        raise click.exceptions.Exit(1)


def _run(cards: list[Card], jobs: int | None) -> Iterator[Certificate]:
    from ..study.verify.verify import proofs

    return proofs(cards, jobs=jobs)


def _stored(cards: Iterable[Card]) -> Iterator[Certificate]:
    return (store.stored(card) or Certificate(card.name, ()) for card in cards)


def _told(certificate: Certificate, width: int, in_full: bool) -> str:
    """A line for the method, and beneath it a line per checked thing: all of them, or those that fail."""
    clock = f"{certificate.clock:.1f} s" if certificate.clock else _state(certificate)
    said = certificate.summary() or "nothing here proves it"
    head = f"{certificate.name:{width}}  {certificate.verdict:6}  {said}  {clock}".rstrip()
    kept = (line for line in certificate.lines if in_full or line.passes is False)
    return "\n".join([head, *store.lines_text(replace(certificate, lines=tuple(kept)))])


def _state(certificate: Certificate) -> str:
    if not certificate.lines:
        return ""
    why = store.why_stale(find(certificate.name), certificate)
    return f"stored {certificate.date}, {f'stale: {why}' if why else 'fresh'}"


def _counted(found: list[Certificate]) -> str:
    counts = {word: [c.name for c in found if c.verdict == word] for word in ("passes", "fails", "none")}
    words = [f"{len(found)} methods: {len(counts['passes'])} pass, {len(counts['fails'])} fail"]
    for word, what in (("fails", "fail"), ("none", "without proof")):
        words += [f"{what}: {', '.join(counts[word])}"] if counts[word] else []
    return "\n".join(words)


def _plain(certificate: Certificate, stored: bool) -> dict[str, Any]:
    """A certificate as plain values; `clock` fields are the only ones that two runs may differ in."""
    lines = [
        {"kind": line.kind, "name": line.name, "verdict": line.verdict, "message": line.message}
        | {"says": line.says, "count": line.count, "clock": line.clock}
        | {"origin": "stored" if stored or line.clock is None else "run"}
        for line in certificate.lines
    ]
    facts = {"name": certificate.name, "verdict": certificate.verdict, "date": certificate.date}
    kept = {"versions": dict(certificate.versions)}
    why = store.why_stale(find(certificate.name), certificate) if certificate.lines else ""
    return facts | kept | {"stale": why, "clock": certificate.clock, "lines": lines}
