"""How much is dropped: one check for all layers."""

from ...engine.errors import UsageError


def checked(p: float, name: str = "p", whole: bool = False) -> float:
    """The share itself. Raises UsageError unless it is from 0 to below 1; with `whole`, 1 too."""
    if not (0 <= p < 1 or (whole and p == 1)):
        raise UsageError(
            f"{name} is the share that is dropped, from 0 to {'' if whole else 'below '}1, not {p}"
        )
    return p
