"""Kill runs at random moments, go on with them, and compare with runs that nobody touched.

Run as `make soak`. Every learner of the catalog, and every kind of state that a run keeps, in small settings.
Most runs are forks of a process that has everything imported, some are processes as a user starts them. A
difference is told, its folders are kept, and the exit status is 1.
"""

import argparse
import filecmp
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from torchatlas.cards.reader import catalog
from torchatlas.engine.environment import environment
from torchatlas.engine.record import read_record

PATIENCE = 300  # seconds after which a process counts as hung
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["gymnasium", "torch._dynamo", "sklearn.datasets", "torchatlas.study.training.train"]
    + [f"torchatlas.{shelf}" for shelf in ("generative", "learning", "networks", "optim")]
)
DETERMINISTIC = "import torch; torch.use_deterministic_algorithms(True); import runpy; "
DETERMINISTIC += "runpy.run_module('torchatlas', run_name='__main__', alter_sys=True)"
BASE: dict[str, Any] = {"steps": 40, "batch_size": 32, "save_every_steps": 1, "log_every": 7, "threads": 1}
LABELLED = {"labels": 60, "batch_size": 8, "validate_every": 10}
EPISODES = {"valid": 0.3, "way": 2, "batch_size": 2, "validate_every": 10}
# What a learner's card does not say of its smallest setting, or says for laws and not for a run.
LEARNERS: dict[str, dict[str, Any]] = {
    "cyclegan": {"width": 2, "pool": 10, "batch_size": 4},
    "ddpm": {"ema": 0.9, "micro": 2},
    "dqn": {"data": "gym:CartPole-v1", "memory": 100, "actors": 3, "epsilon": 0.2},
    "fixmatch": LABELLED,
    "fomaml": EPISODES,
    "kd_soft_labels": {"teacher": "run:TEACHER"},
    "maml": EPISODES,
    "mean_teacher": LABELLED,
    "prototypical_networks": {**EPISODES, "backbone": "mlp(hidden=8)"},
    "stacked_denoising_autoencoder": {"batch_size": 128},
}
TEXT = {"data": "text:TEXT", "batch_size": 8, "context": 16, "width": 16, "dropout": 0.1}
# What is trained in a learner that has no card of its own, and what a run keeps beside weights.
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp, dropout": ("mlp", {"dropout": 0.2}),
    "mlp on a table": ("mlp", {"data": "iris"}),
    "mlp, regression": ("mlp", {"data": "diabetes", "loss": "smooth_l1"}),
    "mlp, EMA, micro-batches, clipping": ("mlp", {"dropout": 0.2, "ema": 0.9, "micro": 4, "clip": 1.0}),
    "mlp, patience": ("mlp", {"lr": 0.05, "validate_every": 2, "patience": 3}),
    "mlp, balanced sampler": ("mlp", {"sampler": "class_balanced_sampling"}),
    "mlp, lamb, lr_cosine": ("mlp", {"optimizer": "lamb", "schedule": "lr_cosine", "save_every_steps": 2}),
    "mlp, sm3, lr_warmup": ("mlp", {"optimizer": "sm3", "schedule": "lr_warmup", "save_every_steps": 3}),
    "mlp, lr_plateau": ("mlp", {"lr": 0.3, "schedule": "lr_plateau(patience=0)", "validate_every": 2}),
    "conv4 (batch_norm)": ("conv4", {"width": 4}),
    "resnet20_cifar (batch_norm)": ("resnet20_cifar", {"data": "npz:PICTURES", "batch_size": 8, "steps": 16}),
    "gan_nonsaturating": ("gan_nonsaturating", {"hidden": 16}),
    "gan_minimax, lr_step": ("gan_minimax", {"hidden": 16, "schedule": "lr_step(step_size=5)"}),
    "triplet_loss": ("mlp", {"loss": "triplet_loss", "hidden": 32}),
    "lstm on text": ("lstm", {**TEXT, "layers": 2}),
    "gpt on text": ("gpt", {**TEXT, "layers": 1, "heads": 2}),
}


@dataclass(frozen=True)
class Case:
    """What is trained: a method with its settings, `data` among them."""

    name: str
    method: str
    settings: dict[str, Any]


def cases(home: Path, device: str = "cpu") -> Iterator[Case]:
    """Every learner of the catalog, then the others; what they read is made below `home`."""
    for card in catalog().values():
        if card.kind == "learner":
            yield _case(card.name, card.name, {**card.tiny, **LEARNERS.get(card.name, {})}, home, device)
    for name, (method, settings) in OTHERS.items():
        yield _case(name, method, settings, home, device)


def _case(name: str, method: str, settings: dict[str, Any], home: Path, device: str) -> Case:
    made = {"data": "digits", **BASE, "device": device, **settings}
    for word in ("data", "teacher"):
        kind, _, what = str(made.get(word, "")).partition(":")
        if what in MAKERS:
            made[word] = f"{kind}:{home / what.lower()}"
    return Case(name, method, made)


def furnish(case: Case, home: Path) -> None:
    """Make the files that a case reads, where they are missing."""
    for what, make in MAKERS.items():
        path = home / what.lower()
        if any(str(value).endswith(f":{path}") for value in case.settings.values()) and not path.exists():
            make(path)


def _text(path: Path) -> None:
    draw = random.Random(0)
    words = ["atlas", "map", "of", "a", "deep", "sea", "and", "the", "run"]
    path.write_text("\n".join(" ".join(draw.choices(words, k=7)) for _ in range(120)))


def _pictures(path: Path) -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (60, 32, 32, 1), dtype=np.uint8)
    with open(path, "wb") as file:
        np.savez(file, x=pixels, y=np.arange(60) % 3)


def _teacher(path: Path) -> None:
    settings = {"data": "digits", "steps": 5, "threads": 1, "device": "cpu"}
    end(Forked(Case("teacher", "mlp", settings), path))


MAKERS: dict[str, Callable[[Path], None]] = {"TEXT": _text, "PICTURES": _pictures, "TEACHER": _teacher}


def work(method: str, settings: dict[str, Any], folder: Path) -> None:
    """What a fork does: begin a run, or go on with it where its recipe was written already."""
    import torch

    from torchatlas.study.training.train import resume, train

    said = os.open(_log(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, sys.stderr.fileno())
    if settings.get("device") == "cuda":
        torch.use_deterministic_algorithms(True)
    if (folder / "run.yaml").exists():
        resume(folder)
    else:
        train(method, out=folder, **settings)


class Process(Protocol):
    """A run that can be killed. `log` is what it said."""

    log: Path

    def ended(self) -> bool: ...
    def kill(self) -> None: ...
    def wait(self) -> int: ...


class Forked:
    """A run in a fork of the process that has everything imported."""

    def __init__(self, case: Case, folder: Path):
        self.log = _log(folder)
        self.process = FORKS.Process(target=work, args=(case.method, case.settings, folder))
        self.process.start()

    def ended(self) -> bool:
        return not self.process.is_alive()

    def kill(self) -> None:
        self.process.kill()

    def wait(self) -> int:
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, "the process hangs"
        return self.process.exitcode


class Whole:
    """A run as its user starts it, by the recipe of an earlier one."""

    def __init__(self, recipe: Path, folder: Path, *, deterministic: bool = False):
        begun = (folder / "run.yaml").exists()
        words = ["--resume", folder] if begun else [recipe, "--out", folder]
        command = ["-c", DETERMINISTIC] if deterministic else ["-m", "torchatlas"]
        self.log = _log(folder)
        with open(self.log, "ab") as log:
            line = [sys.executable, *command, "train", *map(str, words)]
            self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=log)

    def ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        self.process.kill()

    def wait(self) -> int:
        return self.process.wait(PATIENCE)


def _log(folder: Path) -> Path:  # beside a run: what its processes said
    return folder.with_name(f"{folder.name}.log")


def steps_of(folder: Path) -> int:
    """The newest step that has a checkpoint."""
    return max((int(path.name) for path in (folder / "checkpoints").glob("[0-9]*")), default=0)


def half_written(folder: Path) -> set[tuple[Path, int]]:
    """What is being written in a run's folder at this moment, or was when its process died."""
    found = [*(folder / "checkpoints").glob(".new-*"), *folder.glob(".*.new")]
    times = set()
    for path in found:
        try:
            times.add((path, path.stat().st_mtime_ns))
        except FileNotFoundError:  # it is done
            continue
    return times


def end(run: Process) -> None:
    """Let a run come to its end."""
    _must_end(run, (0,))


def _must_end(run: Process, wanted: tuple[int, ...]) -> int:
    status = run.wait()
    said = run.log.read_text().splitlines() if run.log.exists() else []
    assert status in wanted, f"it ended with status {status}: {said[-1] if said else 'it said nothing'}"
    return status


def kill_when(run: Process, moment: Callable[[float], bool]) -> bool:
    """Kill a run as soon as the moment has come; whether it was still going on."""
    began = time.monotonic()
    while not run.ended() and not moment(time.monotonic() - began):
        assert time.monotonic() - began < PATIENCE, "the moment never came"
        time.sleep(0.0003)
    run.kill()
    return _must_end(run, (0, -signal.SIGKILL)) == -signal.SIGKILL


def draw_moment(draw: random.Random, folder: Path, seconds: float) -> Callable[[float], bool]:
    """A moment to kill at: any time within `seconds`, some steps on, or in the midst of a write there."""
    what = draw.choice(("any", "step", "write", "write"))
    delay = draw.uniform(0, seconds) if what == "any" else draw.uniform(0, 0.004)
    goal = steps_of(folder) + draw.randint(1, 5)
    since: list[float] = [0.0] if what == "any" else []

    def moment(now: float) -> bool:
        if not since and steps_of(folder) >= goal and (what == "step" or half_written(folder)):
            since.append(now)
        return bool(since) and now - since[0] >= delay

    return moment


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _without_clock(things: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in things.items() if key != "clock"}


def differences(one: Path, other: Path) -> list[str]:
    """What two finished runs of one recipe do not share.

    Every file must be the same byte for byte; in the record and the result the clock is left out, and of
    `transformers.skops`, a zip with times in it, only that it is there.
    """
    names = _files(one)
    if names != _files(other):
        return [f"not in both: {name}" for name in sorted(set(names) ^ set(_files(other)))]
    timed = {"record.jsonl", "result.json", "preparation/transformers.skops"}
    same, _, _ = filecmp.cmpfiles(one, other, names, shallow=False)
    found = [f"{name} differs" for name in names if name not in timed and name not in same]
    records = [[_without_clock(line) for line in read_record(run / "record.jsonl")] for run in (one, other)]
    if not records[0] or records[0] != records[1]:
        found.append("the record differs")
    results = [_without_clock(json.loads((run / "result.json").read_text())) for run in (one, other)]
    if not results[0]["steps"] or results[0] != results[1]:
        found.append("the result differs")
    if not [name for name in names if name.startswith("checkpoints/")]:
        found.append("there is no checkpoint")
    return found


@dataclass
class Row:
    """What became of a case. Kills count where they met a living run."""

    name: str
    kills: int = 0
    writes: int = 0  # kills that left something half written
    whole: int = 0  # of the kills: whole processes
    runs: int = 0  # finished after kills, and compared
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        outcome = "; ".join(self.wrong) or "equal"
        return f"| {self.name} | {self.kills} | {self.writes} | {self.whole} | {self.runs} | {outcome} |"


HEAD = "| what | kills | in a write | whole processes | runs compared | outcome |\n"
HEAD += "| --- | --- | --- | --- | --- | --- |"


def soak(case: Case, forks: int, whole: int, home: Path, draw: random.Random) -> Row:
    """Kill forks and whole processes of a case so often; each run that comes to its end is compared.

    Its runs lie below `home` in a folder of the case's name, which is kept where something differs.
    """
    row, began, folder = Row(case.name), time.monotonic(), home / re.sub(r"\W+", "-", case.name)
    folder.mkdir()
    try:
        furnish(case, home)
        untouched, start = folder / "untouched", time.monotonic()
        end(Forked(case, untouched))
        seconds = time.monotonic() - start
        while (row.kills - row.whole < forks or row.whole < whole) and not row.wrong:
            broken = folder / f"broken-{row.runs}"
            _one_life(case, forks, whole, row, broken, draw, seconds)
            row.wrong = [f"{what} ({broken})" for what in differences(untouched, broken)]
            row.runs += 1
            assert row.runs < 20 + forks + whole, "the kills come too late"
            if not row.wrong:
                shutil.rmtree(broken)
    except AssertionError as error:
        row.wrong.append(f"{error} ({folder})")
    if not row.wrong:
        shutil.rmtree(folder)
    row.seconds = time.monotonic() - began
    return row


def _one_life(
    case: Case, forks: int, whole: int, row: Row, broken: Path, draw: random.Random, seconds: float
) -> None:
    """A run, killed until it has come to its end or enough kills were counted."""
    while row.kills - row.whole < forks or row.whole < whole:
        as_user = row.whole < whole
        moment = draw_moment(draw, broken, 8.0 if as_user else seconds)  # a process imports for seconds
        before = half_written(broken)
        cuda = case.settings["device"] == "cuda"
        recipe = broken.with_name("untouched") / "run.yaml"
        run: Process = Whole(recipe, broken, deterministic=cuda) if as_user else Forked(case, broken)
        if not kill_when(run, moment):
            break
        row.kills += 1
        row.whole += as_user
        row.writes += bool(half_written(broken) - before)
    if not (broken / "result.json").exists():
        end(Forked(case, broken))


def main() -> int:
    """Soak the cases and print the table; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="of forks, over all cases (1000)")
    parser.add_argument("--whole", type=int, default=30, help="of whole processes, over all cases (30)")
    parser.add_argument("--only", metavar="NAME", action="append", help="a case; can be said again")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments (0)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda with deterministic algorithms (cpu)")
    parser.add_argument("--list", action="store_true", help="name the cases")
    words = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="soak-"))
    chosen = [c for c in cases(home, words.device) if not words.only or c.name in words.only]
    if words.list or not chosen:
        print("\n".join(case.name for case in cases(home)))
        return int(not words.list)
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # what deterministic algorithms want on a GPU
    print(HEAD, flush=True)
    rows = []
    for k, case in enumerate(chosen):
        forks, whole = (many // len(chosen) + (k < many % len(chosen)) for many in (words.kills, words.whole))
        rows.append(soak(case, forks, whole, home, random.Random(f"{words.seed} {case.name}")))
        print(rows[-1], flush=True)
    return _tell(rows, environment(), home)


def _tell(rows: list[Row], facts: dict[str, Any], home: Path) -> int:
    wrong = sum(bool(row.wrong) for row in rows)
    kills, seconds = sum(row.kills for row in rows), sum(row.seconds for row in rows)
    total = Row("all", kills, *(sum(getattr(row, n) for row in rows) for n in ("writes", "whole", "runs")))
    total.wrong = [f"{wrong} of {len(rows)} differ"] * bool(wrong)
    print(total)
    print(f"\n{seconds:.0f} s, {seconds / max(kills, 1):.2f} s a kill; {facts['processor']}, {facts['cuda']}")
    if wrong:
        print(f"kept: {home}")
    else:
        shutil.rmtree(home)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
