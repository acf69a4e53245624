"""What a family exports, imported when it is asked for: one method brings its own page and no other."""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def exports(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__`: its imports `from .page import Thing as Thing` that wait.

    They stand below `if TYPE_CHECKING:` in the package's `__init__.py`, where editors and type checkers read
    them, and so does this, once a name is asked for that is not there yet.
    """
    pages: dict[str, str] = {}

    def read() -> dict[str, str]:
        if not pages:
            tree = ast.parse(Path(file).read_text(encoding="utf-8"))
            waiting = [node for block in tree.body if isinstance(block, ast.If) for node in block.body]
            for node in waiting:
                if isinstance(node, ast.ImportFrom):
                    pages.update(
                        (name.asname or name.name, f"{package}.{node.module}") for name in node.names
                    )
        return pages

    def get(name: str) -> Any:
        if name in read():
            return getattr(import_module(pages[name]), name)
        raise AttributeError(f"{package} has no {name!r}")

    return get, lambda: sorted(read())
