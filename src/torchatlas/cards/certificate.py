"""Certificates: what is proven of a method, stored with the package and read without importing anything."""

import hashlib
import json
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from .card import Card
from .formulas import readable
from .reader import ROOT
from .signature import look_up

STORE = ROOT / "certificates"  # one file per family: certificates/nn/activations.json
FACTS = ("kind", "where", "options", "recipe", "tiny", "figures", "regressor")  # a proof depends on these
WIDTH = 110
UNITS = {"law": "laws", "reference": "tests", "figure": "figures"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked of a method."""

    kind: str  # "law", "reference" or "figure"
    name: str  # the law, the file of the tests, or the figure
    page: str  # where it is written: "study/laws/losses.py", "tests/losses/test_regression.py"
    passes: bool | None = None  # None: nothing here can check it
    count: int = 1  # of tests in a reference; one else
    message: str = ""  # why it fails, or what was counted
    clock: float | None = None  # seconds; never stored

    @property
    def says(self) -> str:
        """What is claimed, in words."""
        if self.kind == "law" and (seen := look_up(f"{_module(self.page)}:{self.name}")):
            return readable(seen.doc.partition("\n")[0])
        return f"{self.count} test{'s' * (self.count != 1)}" if self.kind == "reference" else self.message

    @property
    def verdict(self) -> str:
        """One word."""
        return {True: "passes", False: "fails", None: "none"}[self.passes]


@dataclass(frozen=True, slots=True)
class Certificate:
    """All that was checked of one method: by whom it depends on what, when, and with which versions.

    `source` is the hash of the method's page and all it imports (`pages`) with its card and its laws,
    `tests` that of its reference. Where either differs from what is here, the certificate is stale.
    """

    name: str
    lines: tuple[Line, ...]
    pages: tuple[str, ...] = ()  # relative to the package
    source: str = ""
    tests: str = ""
    date: str = ""
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def passes(self) -> bool | None:
        """Whether every line passes; None where there is nothing to pass."""
        seen = {line.passes for line in self.lines} - {None}
        return None if not seen else seen == {True}

    @property
    def verdict(self) -> str:
        """One word: passes, fails or none."""
        return {True: "passes", False: "fails", None: "none"}[self.passes]

    @property
    def clock(self) -> float:
        """The seconds that its checks took."""
        return sum(line.clock or 0.0 for line in self.lines)

    def summary(self) -> str:
        """How much of each kind was checked: "5 laws, 12 tests"."""
        counts = {
            kind: sum(line.count for line in self.lines if line.kind == kind and line.passes is not None)
            for kind in UNITS
        }
        return ", ".join(
            f"{count} {UNITS[kind] if count != 1 else UNITS[kind].removesuffix('s')}"
            for kind, count in counts.items()
            if count
        )

    @classmethod
    def from_json(cls, name: str, facts: dict[str, Any]) -> Self:
        """A certificate from what `as_json` gives."""
        lines = tuple(Line(**line) for line in facts["lines"])
        rest = {key: facts[key] for key in ("source", "tests", "date")}
        return cls(name, lines, tuple(facts["pages"]), versions=tuple(facts["versions"].items()), **rest)

    def as_json(self) -> dict[str, Any]:
        """Plain values; what a line has not is left out."""
        empty = {"passes": ..., "count": 1, "message": "", "clock": None}
        lines = [{k: v for k, v in asdict(line).items() if v != empty.get(k, ...)} for line in self.lines]
        facts = {"date": self.date, "versions": dict(self.versions), "source": self.source}
        return {**facts, "tests": self.tests, "pages": list(self.pages), "lines": lines}


def _module(page: str) -> str:
    return ".".join([ROOT.name, *page.removesuffix(".py").split("/")])


@cache
def _bytes(path: Path) -> bytes:
    """A file's text, the same whatever its line ends; nothing where there is no file."""
    return path.read_text(encoding="utf-8").encode() if path.is_file() else b""


def source_hash(card: Card, pages: Iterable[str], root: Path = ROOT) -> str:
    """The hash of a card's facts and of pages relative to the package."""
    facts = json.dumps({fact: getattr(card, fact) for fact in FACTS}, sort_keys=True, default=repr)
    digest = hashlib.sha256(facts.encode())
    for page in pages:
        digest.update(f"\0{page}\0".encode() + _bytes(root / page))
    return digest.hexdigest()[:16]


def checkout(root: Path = ROOT) -> Path | None:
    """The folder that holds `src` and `tests`, or None where the package is installed without them."""
    home = root.parent.parent
    return home if root.parent.name == "src" and (home / "tests" / "conftest.py").is_file() else None


def reference_page(card: Card) -> str:
    """The file of a method's reference, relative to the checkout: it mirrors the method's page."""
    folder, _, page = card.page.rpartition("/")
    return "/".join(part for part in ("tests", folder, f"test_{page}") if part)


def reference_hash(card: Card, root: Path = ROOT) -> str:
    """The hash of a method's reference; "" where it is not here."""
    home = checkout(root)
    text = _bytes(home / reference_page(card)) if home else b""
    return hashlib.sha256(text).hexdigest()[:16] if text else ""


def why_stale(card: Card, certificate: Certificate, root: Path = ROOT) -> str:
    """What has changed since a certificate was stored; "" where it is fresh."""
    if source_hash(card, certificate.pages, root) != certificate.source:
        return "its source or its laws have changed since"
    here = reference_hash(card, root) if checkout(root) else certificate.tests
    return "" if here == certificate.tests else "its tests have changed since"


@cache
def _family(family: str, store: Path) -> dict[str, Any]:
    path = store / f"{family}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def stored(card: Card, store: Path = STORE) -> Certificate | None:
    """A method's certificate as it came with the package, fresh or stale."""
    facts = _family(card.family, store).get(card.name) if card.family else None
    return Certificate.from_json(card.name, facts) if facts else None


def stale(cards: Iterable[Card], store: Path = STORE) -> list[Card]:
    """The methods without a certificate, and those whose certificate is stale."""
    return [card for card in cards if not (kept := stored(card, store)) or why_stale(card, kept)]


def write(family: str, certificates: Sequence[Certificate], store: Path = STORE) -> Path:
    """Write the certificates of one family, each checked thing on a line of its own."""
    entries = []
    for certificate in sorted(certificates, key=lambda c: c.name):
        plain = replace(certificate, lines=tuple(replace(line, clock=None) for line in certificate.lines))
        facts = plain.as_json()
        lines = ",\n   ".join(json.dumps(line, ensure_ascii=False) for line in facts.pop("lines"))
        head = ",\n  ".join(f'"{key}": {json.dumps(value)}' for key, value in facts.items())
        entries.append(f' "{certificate.name}": {{\n  {head},\n  "lines": [\n   {lines}\n  ]\n }}')
    path = store / f"{family}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n", encoding="utf-8")
    _family.cache_clear()
    return path


def lines_text(certificate: Certificate, indent: str = "  ") -> list[str]:
    """One line of text per checked thing."""
    width = max((len(line.name) for line in certificate.lines), default=0)
    rows = []
    for line in certificate.lines:
        words = f"fails: {line.message}" if line.passes is False else line.verdict
        says = "" if line.says == line.message and line.passes is False else line.says
        row = f"{indent}{line.kind:9}  {line.name:{width}}  {words:6}  {says}".rstrip()
        rows += textwrap.wrap(row, WIDTH, subsequent_indent=" " * (len(indent) + width + 21))
    return rows


def certificate_text(card: Card, store: Path = STORE) -> str:
    """What `torchatlas show` prints under "certificate": a sentence, then a line per checked thing."""
    if not (kept := stored(card, store)):
        return f"none stored; torchatlas verify {card.name} proves it here"
    why = why_stale(card, kept)
    ran = ", ".join(f"{name} {version}" for name, version in kept.versions)
    state = f"stale: {why}" if why else "fresh"
    said = ": ".join(part for part in (kept.verdict, kept.summary()) if part)
    return "\n".join([f"{said}; stored {kept.date} with {ran}; {state}", *lines_text(kept)])


def certificate_json(card: Card, store: Path = STORE) -> dict[str, Any] | None:
    """The stored certificate as plain values with what makes it stale ("" where it is fresh), or None."""
    kept = stored(card, store)
    return kept.as_json() | {"stale": why_stale(card, kept)} if kept else None
