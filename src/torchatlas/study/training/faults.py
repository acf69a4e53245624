"""What goes wrong in code that is not ours, in words: what was tried, the error, and its place."""

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...cards.reader import UnknownName
from ...engine.errors import AtlasError, UsageError

OTHERS = (str(Path(__file__).parents[2]), sysconfig.get_path("stdlib"), "<frozen")
PLAIN = (TypeError, ValueError, RuntimeError)  # their messages say enough without the error's name


@contextmanager
def told(trying: str) -> Iterator[None]:
    """Turn any error within into a UsageError that says what was tried; ours pass as they are."""
    try:
        yield
    except (AtlasError, UnknownName):
        raise
    except Exception as error:
        raise UsageError(f"{trying}: {in_words(error)}") from error


def in_words(error: Exception) -> str:
    """An error's message with its name where the message alone says little, and the user's line."""
    name = "" if type(error) in PLAIN and str(error) else f"{type(error).__name__}: "
    return f"{name}{error}".removesuffix(": ") + _place(error)


def _place(error: Exception) -> str:
    """The last line of the user's own code that the error came through; "" where there is none."""
    lines = [
        line
        for line in traceback.extract_tb(error.__traceback__)
        if not line.filename.startswith(OTHERS) and "site-packages" not in line.filename
    ]
    return f" ({Path(lines[-1].filename).name}, line {lines[-1].lineno})" if lines else ""
