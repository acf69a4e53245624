"""`verify`: prove methods, here and now, and store what was proven."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed, parallel_config

from ...cards import certificate as store
from ...cards.card import Card
from ...cards.certificate import Certificate, Line
from ...cards.reader import catalog, find
from ...engine.environment import versions
from .figures import figure_lines
from .laws import law_lines, told
from .references import Test, reference_line, run_page
from .sources import pages_of

VERSIONS = ("python", "torch", "numpy", "scikit-learn")
ALONE = 2  # so few methods are proven in this process: starting others costs more


def verify(names: str | Iterable[str] = "all", *, jobs: int | None = None) -> list[Certificate]:
    """Prove methods by name: run their laws, their references where tests are here, and their figures.

    `names` is one name, several, or "all"; "package.module:Thing" proves a class of your own by the laws of
    its kind. `jobs` is how many processes run at a time. `certificate.passes` says how it ended: True, False,
    or None where nothing could be checked. Raises `UnknownName` with the names that are near.
    """
    return list(proofs(chosen(names), jobs=jobs))


def chosen(names: str | Iterable[str]) -> list[Card]:
    """The cards of these names, each once, in the order given."""
    if names == "all":
        return list(catalog().values())
    found = [find(name) for name in ([names] if isinstance(names, str) else names)]
    return list({card.name: card for card in found}.values())


def proofs(cards: Sequence[Card], *, jobs: int | None = None) -> Iterator[Certificate]:
    """A certificate of each card, in their order, as they come; one process per core by default."""
    home = store.checkout()
    work: list[tuple[str, Any]] = []
    for card in cards:
        page = store.reference_page(card) if card.family else ""
        if home and (home / page).is_file() and ("tests", page) not in work:
            work.append(("tests", page))
        work.append(("laws", card))
    workers = jobs or (1 if len(cards) <= ALONE else cpu_count())
    with parallel_config(backend="loky", inner_max_num_threads=1):
        done = Parallel(n_jobs=workers, return_as="generator", pre_dispatch="all", batch_size=1)(
            delayed(_run_tests)(what, home) if kind == "tests" else delayed(_run_laws)(what)
            for kind, what in work
        )
        tests: dict[str, list[Test]] = {}
        for (kind, what), found in zip(work, done, strict=True):
            if kind == "tests":
                tests[what] = found
            else:
                yield _certificate(what, found, tests.get(store.reference_page(what)))


def _run_tests(page: str, home: Path) -> list[Test]:
    return run_page(page, home)


def _run_laws(card: Card) -> list[Line]:
    try:
        return [*law_lines(card), *figure_lines(card)]
    except Exception as error:  # a page that cannot be imported is one method's failure
        return [Line("law", "imports", card.page, False, message=told(error))]


@cache
def _on_page(page: str) -> tuple[str, ...]:
    return tuple(card.name for card in catalog().values() if card.page == page)


def _certificate(card: Card, lines: list[Line], tests: list[Test] | None) -> Certificate:
    """What was found, with what it depends on; a reference that is not here is taken as it is stored."""
    if tests is not None:
        lines = [*lines, reference_line(card, _on_page(card.page), tests)]
    elif kept := store.stored(card):
        why = store.why_stale(card, kept)
        state = f"stored {kept.date}, {f'stale: {why}' if why else 'fresh'}"
        lines += [replace(line, message=state) for line in kept.lines if line.kind == "reference"]
    laws = {line.page for line in lines if line.kind == "law"}
    pages = tuple(sorted({*pages_of(card), *(page for page in laws if page)})) if card.family else ()
    known = versions()
    return Certificate(
        card.name,
        tuple(lines),
        pages,
        store.source_hash(card, pages),
        store.reference_hash(card) if card.family else "",
        date.today().isoformat(),
        tuple((name, known[name]) for name in VERSIONS),
    )


def renew(jobs: int | None = None) -> Iterator[Certificate]:
    """Prove what has no fresh certificate, and store it; those of methods that are gone are dropped."""
    cards = catalog()
    families: dict[str, dict[str, Certificate]] = {}
    for card in cards.values():
        kept = store.stored(card)
        families.setdefault(card.family, {}).update({card.name: kept} if kept else {})
    for certificate in proofs(store.stale(cards.values()), jobs=jobs):
        family = cards[certificate.name].family
        families[family][certificate.name] = certificate
        store.write(
            family, list(families[family].values())
        )  # at once: what was proven outlives an interruption
        yield certificate
    for family, found in families.items():
        store.write(family, list(found.values()))
    for path in store.STORE.rglob("*.json"):
        if path.relative_to(store.STORE).with_suffix("").as_posix() not in families:
            path.unlink()
