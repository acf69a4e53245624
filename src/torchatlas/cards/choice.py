"""A name with options, as text: `sgd(lr=0.1)`."""

import ast
from typing import Any


def choice(text: str) -> tuple[str, dict[str, Any]]:
    """`"sgd(lr=0.1)"` as its name and options. Raises ValueError where it is neither that nor a name."""
    name, bracket, rest = text.strip().partition("(")
    try:
        node = ast.parse(f"thing({rest}", mode="eval").body if bracket else None
        if isinstance(node, ast.Call) and not node.args:
            return name, {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
    except (SyntaxError, ValueError):
        pass
    if "(" in text:
        raise ValueError(f"{text!r} is not a name with options: write it as sgd(lr=0.1, momentum=0.9)")
    return text.strip(), {}
