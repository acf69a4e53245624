"""The house rules, kept by tests rather than by memory."""

import ast
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import torchatlas
from torchatlas.cards.kinds import KINDS
from torchatlas.cards.reader import ROOT, cards_in, catalog
from torchatlas.cards.signature import look_up

FLOORS = {
    shelf: floor
    for floor, shelves in enumerate(
        (
            ("cards",),
            ("engine", "data"),
            ("nn", "optim", "losses", "metrics"),
            ("networks",),
            ("generative",),
            ("learning",),
            ("inspection",),
            ("tasks",),
            ("study",),
            ("estimators",),
            ("serve", "play"),
            ("cli",),
        )
    )
    for shelf in shelves
}
BETWEEN = {("data", "engine.errors"), ("data", "engine.randomness")}  # what shelves of one floor may use
HEAVY = {"torch", "numpy", "sklearn", "pandas", "scipy"}
PAGES = sorted(ROOT.rglob("*.py"))
CARDS = list(catalog().values())

every_page = pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
every_card = pytest.mark.parametrize("card", CARDS, ids=lambda c: c.name)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Every node, but for what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from at_run_time(child)


def imports(path: Path) -> Iterator[str]:
    """What a page imports of the package, as "shelf.module" or "shelf.module.name"."""
    here = [*path.relative_to(ROOT).with_suffix("").parts]
    for node in at_run_time(tree(path)):
        if isinstance(node, ast.Import):
            yield from (
                a.name.removeprefix("torchatlas.") for a in node.names if a.name.startswith("torchatlas.")
            )
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            base = here[: len(here) - node.level] if node.level else module.split(".")[1:]
            if node.level or module.split(".")[0] == "torchatlas":
                inside = [*base, *(module.split(".") if node.level and module else [])]
                yield from (".".join([*inside, alias.name]) for alias in node.names)


def unit(dotted: str) -> str:
    """The family that an import leads to, "shelf.family", or the page where a shelf has pages of its own."""
    return ".".join(dotted.split(".")[:2])


@every_page
def test_imports_go_down(path):
    here, *rest = path.relative_to(ROOT).with_suffix("").parts
    if not rest:  # the root and __main__
        return
    for dotted in imports(path):
        there = dotted.split(".")[0]
        if there == "__version__":
            continue
        assert there in FLOORS, f"{path} takes {dotted} from the root: take it from where it lives"
        beside = (
            (here, unit(dotted)) in BETWEEN if here in {"engine", "data"} else FLOORS[there] == FLOORS[here]
        )
        assert here == there or FLOORS[there] < FLOORS[here] or beside, f"{path} reaches for {dotted}"


def test_every_shelf_has_a_floor():
    shelves = {p.name for p in ROOT.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    assert shelves <= set(FLOORS)
    assert set(torchatlas.SHELVES) <= shelves


def cycle(edges: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_families_use_each_other_without_circles():
    edges: dict[str, set[str]] = {}
    for path in PAGES:
        here = unit(".".join(path.relative_to(ROOT).with_suffix("").parts))
        if "." in here and not here.endswith("__init__"):
            inside = {unit(d) for d in imports(path)} - {here}
            edges.setdefault(here, set()).update(d for d in inside if d.split(".")[0] == here.split(".")[0])
    assert not cycle(edges)
    assert cycle({"a.b": {"a.c"}, "a.c": {"a.b"}})  # the test can fail


def test_shelves_of_one_floor_use_each_other_without_circles():
    edges: dict[str, set[str]] = {}
    for path in PAGES:
        here = path.relative_to(ROOT).parts[0]
        if here in FLOORS:
            edges.setdefault(here, set()).update(d.split(".")[0] for d in imports(path))
    assert not cycle({here: there - {here} for here, there in edges.items()})


def quiet(code: str) -> None:
    """Run code in a fresh Python, which must not have imported a large library by its end."""
    end = f"; heavy = {HEAVY} & set(sys.modules); assert not heavy, heavy"
    environment = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    subprocess.run(
        [sys.executable, "-c", f"import sys, torchatlas; {code}{end}"], check=True, env=environment
    )


def test_the_root_and_the_catalog_are_quiet():
    quiet("torchatlas.catalog(); torchatlas.find('adam'); dir(torchatlas)")


def test_listing_and_showing_every_card_is_quiet():
    quiet(
        "from torchatlas.cards.text import list_json, list_text, show_text; "
        "cards = list(torchatlas.catalog().values()); "
        "list_text(cards), list_json(cards), [show_text(card) for card in cards]"
    )


def test_the_root_gives_shelves_and_refuses_other_names():
    for shelf in torchatlas.SHELVES:
        assert getattr(torchatlas, shelf) is import_module(f"torchatlas.{shelf}")
    assert {"train", "compare", "load", "nn"} <= set(dir(torchatlas))
    with pytest.raises(AttributeError, match="torchatlas has no 'tarin'"):
        torchatlas.tarin  # noqa: B018


@every_page
def test_a_page_fits_the_eye(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function, without its docstring."""
    first = node.body[0]
    told = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) else 0
    return (node.end_lineno or 0) - node.lineno + 1 - told


@every_page
def test_a_function_fits_the_eye(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert length(node) <= 50, f"{node.name} is too long"


@every_page
def test_every_page_says_what_it_is(path):
    assert ast.get_docstring(tree(path)), f"{path} has no docstring"


@pytest.mark.parametrize(
    "folder", sorted({p.parent for p in PAGES}), ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_every_folder_is_a_package(folder):
    assert (folder / "__init__.py").exists()


def stated(path: Path) -> Iterator[tuple[str, str]]:
    """The name and the thing of every card of a page, by Python's own parser, wherever it stands."""
    for node in ast.walk(tree(path)):
        for call in (*getattr(node, "decorator_list", ()), node):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            if call.func.id == "borrowed":
                yield tuple(ast.literal_eval(a) for a in call.args[:2])
            elif call.func.id == "method" and call is not node:
                thing = (
                    f"{'.'.join(['torchatlas', *path.relative_to(ROOT).with_suffix('').parts])}:{node.name}"
                )
                yield ast.literal_eval(call.args[0]), thing
                yield from (
                    (name, thing)
                    for word in call.keywords
                    if word.arg == "variants"
                    for name in ast.literal_eval(word.value)
                )


@every_page
def test_no_card_is_missed_or_made_up(path):
    assert sorted((c.name, c.where) for c in cards_in(path)) == sorted(stated(path))


@every_card
def test_a_card_is_well_formed(card):
    assert card.name.isidentifier() and card.name == card.name.lower()
    assert card.title and len(card.title) <= 110
    assert card.kind in KINDS
    assert card.year is None or 1600 < card.year <= 2100
    assert not card.parent or card.parent in catalog()
    assert all(isinstance(texts, tuple) for texts in (card.aliases, card.topics))


def thing_at(where: str):
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


@every_card
def test_the_card_tells_the_truth(card):
    thing = thing_at(card.where)
    if card.where.startswith("torchatlas."):
        assert thing.__atlas__ == (card.parent if card.parent and card.name != thing.__atlas__ else card.name)
        assert inspect.cleandoc(thing.__doc__ or "").startswith(card.title)
        assert not card.formula, "our own things say their formula in their docstring"
        assert getattr(import_module(f"torchatlas.{card.family.replace('/', '.')}"), thing.__name__) is thing
    else:
        assert card.formula
    if card.regressor:
        assert callable(thing_at(card.regressor))


@every_card
def test_the_cards_settings_fit_the_things_signature(card):
    thing = thing_at(card.where)
    signature = inspect.signature(getattr(thing, "for_data", thing))  # learners are built from a Spec
    signature.bind_partial(**card.options)
    signature.bind_partial(**(card.options | card.tiny))


@every_card
def test_the_signature_shown_is_the_true_one(card):
    shown = look_up(card.where)
    assert shown, "its source was not found"
    words = [p.name.lstrip("*") for p in shown.parameters if p.name not in {"*", "/"}]
    truth = list(inspect.signature(thing_at(card.where)).parameters)
    assert words == truth or (not words and truth == ["args", "kwargs"])  # nn.Module's own
