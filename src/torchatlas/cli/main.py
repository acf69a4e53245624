"""The commands, and what their exit status says: 0 done, 1 failed, 2 wrong words, 130 interrupted."""

import os
import sys
import warnings
from typing import Any, NoReturn

import click

from .. import __version__
from ..cards.reader import UnknownName
from . import catalog, comparing, inspecting, options, training, using, verifying


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="torchatlas", message="%(prog)s %(version)s")
def app() -> None:
    """An atlas of deep learning for PyTorch: find methods, train them, compare them on your data."""


for command in (
    *(catalog.list_methods, catalog.show),
    *(training.train, comparing.compare),
    *(inspecting.attack, inspecting.explain, inspecting.prune, inspecting.export),
    verifying.verify,
    *(using.evaluate, using.predict, using.sample, using.report, using.doctor),
):
    app.add_command(command)


def main() -> None:
    """Run a command, and exit with its status.

    Beside other processes at once: gloo's threads may abort an interpreter that is taken down.
    """
    try:
        _run()
    except SystemExit as end:
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)


def _run() -> NoReturn:
    """Run a command; turn what the user can mend into one message and an exit status."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            status = app(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(status)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UnknownName as error:
        _fail(str(error), 2)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 130)
    except BrokenPipeError:  # the reader of our output went away: nothing is wrong
        _quiet()
        sys.exit(0)
    except OSError as error:
        if error.filename is None:  # standard output: what is left in it cannot be written at the end either
            _quiet()
        _fail(_told(error), 1)
    except Exception as error:
        from ..engine.errors import AtlasError, Interrupted, UsageError, ran_out

        if ran_out(error):
            _fail(f"there is not enough memory for this: ask for less at a time ({_first_line(error)})", 1)
        if not isinstance(error, AtlasError):
            raise
        status = 130 if isinstance(error, Interrupted) else 2 if isinstance(error, UsageError) else 1
        if error.told:
            sys.exit(status)
        _fail(str(error), status)


def _note(message: Warning | str, *where: Any, **more: Any) -> None:
    """A warning as one line, without the place in our source that raised it."""
    if options.process() == 0:
        print(f"note: {' '.join(str(message).split())}", file=sys.stderr, flush=True)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _quiet() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"no permission to use {error.filename}: change its owner or mode, or choose another place"
    return f"{error.filename or 'the output could not be written'}: {error.strerror or error}"


def _fail(message: str, status: int) -> NoReturn:
    which = f" (process {number})" if (number := options.process()) else ""
    print(f"torchatlas{which}: {message}", file=sys.stderr)
    sys.exit(status)
