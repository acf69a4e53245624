"""A formula broken in one place: what to change on which page, and what that breaks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One text of one page and what stands there instead."""

    method: str
    what: str  # sign, factor, axis or missing term, and of what
    old: str  # occurs once in the page
    new: str  # HERE is the page's module
    code: str = ""  # put at the page's end: what a borrowed name leads to instead
    page: str = ""  # relative to the package; the method's own by default


def borrowed(method: str, what: str, where: str, forward: str) -> Mutation:
    """A library's module with another `forward(x)`: broken where the formula is not on our page."""
    module, _, thing = where.partition(":")
    code = (
        f"import torch\nimport {module}\n\n\n"
        f"class Broken({module}.{thing}):\n    def forward(self, x):\n        {forward}"
    )
    return Mutation(method, what, f'"{method}",\n    "{where}"', f'"{method}",\n    "HERE:Broken"', code)


def rebound(method: str, what: str, where: str, other: str) -> Mutation:
    """Another thing of a library under the name: a formula that lacks the method's own term."""
    return Mutation(method, what, f'"{method}",\n    "{where}"', f'"{method}",\n    "{other}"')
