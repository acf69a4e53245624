"""A method's constructor words and docstring, read from source text: no library is imported for it."""

import ast
import os
import re
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path

FROM = re.compile(r"^from[ \t]+(\S+)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^\n]*))", re.M)
SKIPPED = {"tests", "test", "testing", "benchmarks"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One word of a constructor, as it is written; `default` is "" where the word must be given."""

    name: str  # with its stars: "*args", "**kwargs"; "*" alone and "/" are parameters of their own
    annotation: str = ""
    default: str = ""

    def __str__(self) -> str:
        if self.annotation:
            return f"{self.name}: {self.annotation}" + (f" = {self.default}" if self.default else "")
        return self.name + (f"={self.default}" if self.default else "")


@dataclass(frozen=True, slots=True)
class Signature:
    """What the source says of a class or function: its parameters and its docstring."""

    parameters: tuple[Parameter, ...]
    doc: str
    file: Path

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.parameters))})"


@cache
def look_up(where: str) -> Signature | None:
    """The signature of "package.module:Thing", or None where its source is not found."""
    module, _, name = where.partition(":")
    if not (place := _home(module, name)):
        return None
    file, node = place
    doc = cleandoc(ast.get_docstring(node, clean=False) or "")
    if isinstance(node, ast.ClassDef):
        return Signature(_constructor(module, file, node), doc, file)
    return Signature(_parameters(node), doc, file)


def module_file(module: str) -> Path | None:
    """The source file of a module. Only folders are looked at, so that nothing is imported."""
    top, *rest = module.split(".")
    try:
        found = find_spec(top) or PathFinder.find_spec(top, [os.getcwd()])
    except ValueError:  # a module without a file, such as a notebook's __main__
        return None
    if not found or not found.origin:
        return None
    path = Path(found.origin)
    if path.suffix != ".py" or not path.is_file():  # frozen, built in or compiled
        return None
    if found.submodule_search_locations is None:
        return None if rest else path
    path = path.parent.joinpath(*rest)
    return next((p for p in (path / "__init__.py", path.with_suffix(".py")) if p.is_file()), None)


Node = ast.ClassDef | ast.FunctionDef


def _home(module: str, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> tuple[Path, Node] | None:
    """Where a name is defined: in the module, where its imports lead, or elsewhere in its folder."""
    file = module_file(module)
    if not file or not name.isidentifier() or (module, name) in seen:
        return None
    text = file.read_text(encoding="utf-8")
    if node := _definition(text, name):
        return file, node
    for source, original in _imports(text, name, module, file):
        if found := _home(source, original, seen | {(module, name)}):
            return found
    if file.name != "__init__.py":
        return None
    for page in sorted(file.parent.rglob("*.py"), key=lambda p: (len(p.parts), p)):
        if SKIPPED.isdisjoint(page.relative_to(file.parent).parts):
            found_node = _definition(page.read_text(encoding="utf-8", errors="replace"), name)
            if found_node:
                return page, found_node
    return None


def _imports(text: str, name: str, module: str, file: Path) -> list[tuple[str, str]]:
    """The modules that a text takes a name from, each with the name's name there."""
    found = []
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for source, inside, line in FROM.findall(text):
        for item in re.sub(r"#[^\n]*", "", inside or line).split(","):
            original, _, renamed = item.strip().partition(" as ")
            if original == "*" or name == (renamed or original).strip():
                dots = len(source) - len(source.lstrip("."))
                parts = [*package[: len(package) - dots + 1], source.lstrip(".")] if dots else [source]
                home = ".".join(part for part in parts if part)
                found.append((home, name if original == "*" else original.strip()))
    return found


def _definition(text: str, name: str) -> Node | None:
    """The class or function of this name at the beginning of a line; only its own text is parsed."""
    if not (head := re.search(rf"^(?:class|def)[ ]{name}\b", text, re.M)):
        return None
    for end in re.finditer(r"^[^\s)#]|\Z", text[head.end() :], re.M):
        try:
            node = ast.parse(text[head.start() : head.end() + end.start()]).body[0]
        except SyntaxError:  # that line was inside a string
            continue
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            return node
    return None


def _constructor(module: str, file: Path, node: ast.ClassDef) -> tuple[Parameter, ...]:
    """The words of a class's `__init__`, or of its first base that has one."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return _parameters(part)[1:]
    for base in node.bases:
        *owner, name = ast.unparse(base).split("[")[0].split(".")
        source = {"nn": "torch.nn"}.get(".".join(owner), ".".join(owner)) or _module_of(file, module)
        if name == "Module":
            return ()
        place = _home(source, name)
        if place and isinstance(place[1], ast.ClassDef):
            return _constructor(_module_of(place[0], source), place[0], place[1])
    return ()


def _module_of(file: Path, module: str) -> str:
    """The dotted name of a file that was reached from a module of the same package."""
    top = module.partition(".")[0]
    start = module_file(top)
    if not start or start.parent not in file.parents:
        return module
    parts = file.relative_to(start.parent).with_suffix("").parts
    return ".".join([top, *(part for part in parts if part != "__init__")])


def _parameters(node: ast.FunctionDef) -> tuple[Parameter, ...]:
    words, found = node.args, []
    plain = [*words.posonlyargs, *words.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(words.defaults))
    for index, (arg, default) in enumerate(zip(plain, [*missing, *words.defaults], strict=True)):
        if words.posonlyargs and index == len(words.posonlyargs):
            found.append(Parameter("/"))
        found.append(_parameter(arg, default))
    if words.vararg:
        found.append(_parameter(words.vararg, None, "*"))
    elif words.kwonlyargs:
        found.append(Parameter("*"))
    found += map(_parameter, words.kwonlyargs, words.kw_defaults)
    if words.kwarg:
        found.append(_parameter(words.kwarg, None, "**"))
    return tuple(found)


def _parameter(arg: ast.arg, default: ast.expr | None, stars: str = "") -> Parameter:
    annotation = ast.unparse(arg.annotation) if arg.annotation else ""
    return Parameter(stars + arg.arg, annotation, ast.unparse(default) if default else "")
