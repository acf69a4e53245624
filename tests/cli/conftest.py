import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from torchatlas.cli.main import main

NOBODY = 65534


@dataclass(frozen=True)
class Outcome:
    """What a command said and how it ended."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both streams, as one line of single spaces."""
        return " ".join(f"{self.out} {self.err}".split())


def run(*words: object) -> Outcome:
    """A command as typed, in this process; anything but an exit status comes through as its traceback."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["torchatlas", *map(str, words)]
    typed, ended = mock.patch.object(sys, "argv", argv), pytest.raises(SystemExit)
    with typed, redirect_stdout(out), redirect_stderr(err), ended as end:
        main()
    return Outcome(int(end.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def atlas() -> Callable[..., Outcome]:
    """Types a command."""
    return run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command is typed in an empty folder, on a wide screen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def typed(here: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Types a command as a process of its own; none outlives its test."""
    begun: list[subprocess.Popen[str]] = []

    def start(*words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "torchatlas", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        begun.append(subprocess.Popen(command, text=True, start_new_session=True, **pipes))
        return begun[-1]

    yield start
    for process in begun:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for something to be so."""

    def wait(so: Callable[[], object], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    return wait


@contextmanager
def _nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(NOBODY)
    except OSError:
        pytest.skip("root may not become another user here")
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture(scope="session")
def unprivileged() -> Callable[[], object]:
    """A context without root's permissions."""
    return _nobody


@pytest.fixture(scope="session")
def pets() -> pd.DataFrame:
    """Eighty animals: a number, a word, a class and a price."""
    draw, n = np.random.default_rng(0), 80
    frame = pd.DataFrame(
        {"size": draw.normal(size=n).round(3), "colour": draw.choice(["red", "blue", "grey"], n)}
    )
    frame["kind"] = np.where(frame["size"] + (frame["colour"] == "red") > 0.3, "cat", "dog")
    frame["price"] = (3 * frame["size"] + draw.normal(size=n)).round(3)
    return frame


@pytest.fixture
def pets_csv(here: Path, pets: pd.DataFrame) -> Path:
    """The animals as a file."""
    pets.to_csv(here / "pets.csv", index=False)
    return here / "pets.csv"


@pytest.fixture
def pictures(here: Path) -> Path:
    """A folder of dark and of light pictures, twelve each."""
    draw = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (here / "pictures" / name).mkdir(parents=True)
        for i in range(12):
            pixels = (level + draw.integers(0, 30, (8, 8))).astype(np.uint8)
            Image.fromarray(pixels).save(here / "pictures" / name / f"{i}.png")
    return here / "pictures"


def _trained(folder: Path, *words: object) -> Path:
    outcome = run("train", *words, "--set", "threads=1", "--out", folder)
    assert outcome.status == 0, outcome.err
    return folder


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mlp of three steps on digits; not to be changed."""
    return _trained(tmp_path_factory.mktemp("runs") / "digits", "mlp", "--data", "digits", "--steps", 3)


@pytest.fixture(scope="session")
def vae_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vae of three steps on digits; not to be changed."""
    return _trained(tmp_path_factory.mktemp("runs") / "vae", "vae", "--data", "digits", "--steps", 3)


@pytest.fixture(scope="session")
def pets_run(tmp_path_factory: pytest.TempPathFactory, pets: pd.DataFrame) -> Path:
    """An mlp of thirty steps that tells cats from dogs; not to be changed."""
    home = tmp_path_factory.mktemp("pets")
    pets.drop(columns="price").to_csv(home / "pets.csv", index=False)
    return _trained(
        home / "run", "mlp", "--data", f"csv:{home / 'pets.csv'}", "--target", "kind", "--steps", 30
    )
