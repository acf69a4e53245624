"""The catalog is the folder tree, read as text: no registry, no import side effects."""

import ast
import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from .card import VARIANT_FACTS, Card
from .kinds import KINDS, default_kind

ROOT = Path(__file__).parent.parent
# A call on one line, or closed at the beginning of a line; for our own things the docstring's first line too.
HEAD = re.compile(
    r"^(?:borrowed\((?P<borrowed>[^\n]*|\n.*?\n)\)[ \t]*$"
    r"|@method\((?P<method>[^\n]*|\n.*?\n)\)[ \t]*\n(?:@[^\n]*\n)*(?:class|def)[ ](?P<thing>\w+)[^\n]*\n"
    r'(?:(?:[ )][^\n]*\n)*?    r?"""(?P<title>[^\n]*?)(?:"""|\n))?)',
    re.M | re.S,
)


class UnknownName(LookupError):
    """A name that the atlas does not know; the message says which names are near."""


class UnknownOption(TypeError):
    """An option that a method does not take; the message says which ones it takes."""


def near(word: str, words: Iterable[str]) -> str:
    """A closing hint, "; did you mean ...?", or nothing where no word is near."""
    plain = {name.lower(): name for name in words}
    found = [plain[name] for name in get_close_matches(re.sub(r"[-\s]+", "_", word.lower()), plain, n=3)]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def _literal(inner: str) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the named values of a call's text."""
    call = ast.parse(f"f({inner})", mode="eval").body
    assert isinstance(call, ast.Call)
    return [ast.literal_eval(a) for a in call.args], {
        str(k.arg): ast.literal_eval(k.value) for k in call.keywords
    }


def _variants(card: Card, variants: Mapping[str, Mapping[str, Any]]) -> Iterator[Card]:
    for name, setting in variants.items():
        facts = {"aliases": (), "figures": {}} | {k: v for k, v in setting.items() if k in VARIANT_FACTS}
        options = {k: v for k, v in setting.items() if k not in VARIANT_FACTS}
        yield replace(card, name=name, parent=card.name, options=options, **facts)


def _cards_of(head: re.Match[str], page: str, package: str) -> Iterator[Card]:
    """The cards of one `borrowed(...)` or `@method(...)`, its variants included."""
    family = page.rpartition("/")[0]
    values, facts = _literal(head["borrowed"] or head["method"])
    facts["kind"] = facts.get("kind") or default_kind(page)
    if facts["kind"] not in KINDS:
        raise ValueError(f"{values[0]!r} has no kind of {', '.join(KINDS)}")
    if head["borrowed"]:
        name, where, title = values
        yield Card(name, family, where=where, title=title, page=page, **facts)
        return
    (name,) = values
    variants = facts.pop("variants", None) or {}
    module = ".".join([package, *page.removesuffix(".py").removesuffix("/__init__").split("/")])
    card = Card(
        name, family, where=f"{module}:{head['thing']}", title=head["title"] or "", page=page, **facts
    )
    yield card
    yield from _variants(card, variants)


def cards_in(path: Path, root: Path = ROOT) -> list[Card]:
    """The cards of one source file, read from its text without importing it."""
    raw = path.read_bytes()
    if b"@method(" not in raw and b"borrowed(" not in raw:
        return []
    text, page = raw.decode(), path.relative_to(root).as_posix()
    cards: list[Card] = []
    for head in HEAD.finditer(text):
        try:
            cards += _cards_of(head, page, root.name)
        except (ValueError, TypeError, SyntaxError) as error:
            line = text.count("\n", 0, head.start()) + 1
            raise ValueError(f"{page}, line {line}: this card cannot be read: {error}") from error
    return cards


def scan(root: Path = ROOT) -> dict[str, Card]:
    """Every card of a package's folder by name, in the order of the files; names and aliases are unique."""
    cards: dict[str, Card] = {}
    taken: dict[str, Card] = {}
    for path in sorted(root.rglob("*.py")):
        for card in cards_in(path, root):
            for name in (card.name, *card.aliases):
                if twin := taken.get(name):
                    raise ValueError(
                        f"two methods are called {name!r}: one in {twin.page}, one in {card.page}"
                    )
                taken[name] = card
            cards[card.name] = card
    return cards


@cache
def catalog() -> dict[str, Card]:
    """Every method of the atlas, by name."""
    return scan()


@cache
def _aliases() -> dict[str, Card]:
    return {alias: card for card in catalog().values() for alias in card.aliases}


def find(name: str) -> Card:
    """The card of a method, by name or alias; "package.module:Thing" gives a card for one's own thing.

    Raises `UnknownName` with the names that are near, TypeError for what is no text.
    """
    if not isinstance(name, str):
        known = getattr(name, "__atlas__", None)
        hint = f"say {known!r}" if isinstance(known, str) else "say a text such as 'mlp', or 'module:Thing'"
        raise TypeError(f"a method is found by its name, not by {name!r}: {hint}")
    if card := catalog().get(name) or _aliases().get(name):
        return card
    module, colon, thing = name.partition(":")
    if colon and all(part.isidentifier() for part in (*module.split("."), *thing.split("."))):
        from .signature import look_up

        seen = look_up(name)
        return Card(name, "", "own", name, title=seen.doc.partition("\n")[0] if seen else "")
    if "<" in thing:
        raise UnknownName(
            f"{name!r} was defined inside a function, where no name leads: define it in a module, at the top"
        )
    if colon:
        raise UnknownName(f"{name!r} is not of the form package.module:Thing")
    hint = near(name, [*catalog(), *_aliases()]) or "; torchatlas list shows them all"
    raise UnknownName(f"no method is called {name!r}{hint}")


def _imported(where: str, own: bool) -> Any:
    module, _, path = where.partition(":")
    if own and os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    try:
        thing = home = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UnknownName(
            f"{where}: there is no module {error.name!r} here; run from its folder or set PYTHONPATH"
        ) from error
    for part in path.split("."):
        if not hasattr(thing, part):
            names = [name for name in vars(home) if not name.startswith("_")]
            raise UnknownName(f"{where}: {module} has no {path!r}{near(path, names)}")
        thing = getattr(thing, part)
    return thing


def get(name: str) -> Any:
    """The method itself, with its card's options bound where it has any. Only here are libraries imported."""
    card = find(name)
    thing = _imported(card.where, own=card.kind == "own")
    return partial(thing, **card.options) if card.options else thing


def create(name: str, *args: Any, **options: Any) -> Any:
    """An instance of a method: `create("adam", params, lr=1e-3)`; a plain function with its options bound.

    Raises `UnknownOption` for a word that the method does not take.
    """
    thing, card = get(name), find(name)
    words = _words(thing)
    for word in options:
        if words and word not in words:
            raise UnknownOption(
                f"{name} has no option {word!r}{near(word, words)}; it takes {', '.join(words)}"
            )
    return partial(thing, *args, **options) if KINDS[card.kind].function else thing(*args, **options)


def _words(thing: Any) -> tuple[str, ...]:
    """The names that a thing can be given; none where it takes any, or does not say."""
    try:
        parameters = inspect.signature(thing).parameters
    except (ValueError, TypeError):
        return ()
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return ()
    return tuple(parameters)
