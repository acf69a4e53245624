"""The commands, and what their exit status says: 0 done, 1 failed, 2 wrong words, 130 interrupted."""

import os
import sys

import typer

from .. import __version__
from ..cards.reader import UnknownName
from . import catalog, comparing, training, using

app = typer.Typer(
    name="torchatlas",
    help="An atlas of deep learning for PyTorch: find methods, train them, compare them on your data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"torchatlas {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Nothing to do before a command."""


for command in (catalog.list_methods, catalog.show):
    app.command({"list_methods": "list"}.get(command.__name__, command.__name__))(command)
app.command("train")(training.train)
app.command("compare")(comparing.compare)
for use in (using.evaluate, using.predict, using.sample, using.report, using.doctor):
    app.command(use.__name__)(use)


def main() -> None:
    """Run a command; turn what the user can mend into one message and an exit status."""
    try:
        app()
    except UnknownName as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:  # the reader of our output went away: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        from ..engine.errors import AtlasError, Interrupted, UsageError

        if not isinstance(error, AtlasError):
            raise
        status = 130 if isinstance(error, Interrupted) else 2 if isinstance(error, UsageError) else 1
        _fail(str(error), status)


def _fail(message: str, status: int) -> None:
    print(f"torchatlas: {message}", file=sys.stderr)
    sys.exit(status)
