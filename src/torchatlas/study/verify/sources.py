"""The pages that a method depends on, read from their import statements without importing them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ...cards.card import Card
from ...cards.reader import ROOT

LEFT_OUT = {"cards"}  # every page uses that shelf, and no formula lives there


def pages_of(card: Card, root: Path = ROOT) -> tuple[str, ...]:
    """The method's page and all that it imports of the package, in order; none for a library's thing."""
    if not card.where.startswith(f"{root.name}."):
        return ()
    found, left = set[Path](), [root / card.page]
    while left:
        page = left.pop()
        if page not in found:
            found.add(page)
            left += _imported(page, root)
    return tuple(sorted(page.relative_to(root).as_posix() for page in found))


@cache
def _imported(page: Path, root: Path) -> tuple[Path, ...]:
    """The pages that a page imports, but for type checkers alone."""
    names = (name for node in _run(_tree(page)) for name in _names(node, page, root))
    pages = {found for where, name in names if (found := _resolve(where, name, root))}
    return tuple(sorted(p for p in pages if p.relative_to(root).parts[0] not in LEFT_OUT))


@cache
def _tree(page: Path) -> ast.Module:
    return ast.parse(page.read_text(encoding="utf-8"), str(page))


def _run(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from _run(child)


def _names(node: ast.AST, page: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """What an import statement takes of the package: a folder or page without suffix, and a name in it."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top, *rest = alias.name.split(".")
            if top == root.name and rest:
                yield root.joinpath(*rest[:-1]), rest[-1]
    elif isinstance(node, ast.ImportFrom):
        parts = node.module.split(".") if node.module else []
        if node.level:
            where = page.parents[node.level - 1].joinpath(*parts)
        elif parts and parts[0] == root.name:
            where = root.joinpath(*parts[1:])
        else:
            return
        yield from ((where, alias.name) for alias in node.names)


def _resolve(where: Path, name: str, root: Path) -> Path | None:
    """The page that defines a name: a folder's `__init__` is looked through to the page it exports from."""
    for page in (where / f"{name}.py", where / name / "__init__.py", where.with_suffix(".py")):
        if page.is_file():
            return page
    front = where / "__init__.py"
    if not front.is_file():
        return None
    for node in _tree(front).body:
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            found = (_resolve(inside, original, root) for inside, original in _names(node, front, root))
            return next(filter(None, found), front)
    return front
