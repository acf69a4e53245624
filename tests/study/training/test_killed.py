"""Runs that are killed without warning, at random moments, end in the bytes of a run that nobody touched."""

import filecmp
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL and no fork here", allow_module_level=True)

from torchatlas.engine.record import read_record
from torchatlas.study.training.train import resume, train

METHODS = {"mlp": {"dropout": 0.2}, "vae": {}, "gan_nonsaturating": {}}
PATIENCE = 120  # seconds after which a process counts as hung

WARM = multiprocessing.get_context(
    "forkserver"
)  # children are forks of a process that has everything imported
WARM.set_forkserver_preload(
    ["torch._dynamo", "sklearn.datasets", "torchatlas.study.training.train", "torchatlas.generative"]
)


class Forked:
    """A run in a fork of the warm process; anew where none was killed after writing its recipe."""

    def __init__(self, name, folder, **settings):
        if (folder / "run.yaml").exists():
            self.process = WARM.Process(target=resume, args=(folder,))
        else:
            said = {**METHODS[name], "data": "digits", "threads": 1, "out": folder, **settings}
            self.process = WARM.Process(target=train, args=(name,), kwargs=said)
        self.process.start()

    def ended(self):
        return not self.process.is_alive()

    def kill(self):
        self.process.kill()

    def wait(self):
        self.process.join(PATIENCE)
        assert not self.process.is_alive(), "the process hangs"
        return self.process.exitcode


class Whole:
    """A run as its user starts it."""

    def __init__(self, name, folder, **settings):
        words = ["--resume", folder]
        if not (folder / "run.yaml").exists():
            pairs = {**METHODS[name], "threads": 1, **settings}
            steps = ["--steps", str(pairs.pop("steps"))]
            words = [name, "--data", "digits", *steps, "--out", folder]
            words += [word for key, value in pairs.items() for word in ("--set", f"{key}={value}")]
        command = [sys.executable, "-m", "torchatlas", "train", *map(str, words)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def ended(self):
        return self.process.poll() is not None

    def kill(self):
        self.process.kill()

    def wait(self):
        said = self.process.communicate(timeout=PATIENCE)[1].decode()
        assert "Traceback" not in said, said
        return self.process.returncode


def steps_of(folder):
    return max((int(path.name) for path in (folder / "checkpoints").glob("[0-9]*")), default=0)


def writing(folder):
    return any((folder / "checkpoints").glob(".new-*"))


def kill_when(run, moment):
    """Kill a run as soon as the moment has come; whether it was still going on."""
    began = time.monotonic()
    while not run.ended() and not moment(time.monotonic() - began):
        assert time.monotonic() - began < PATIENCE, "the moment never came"
        time.sleep(0.0005)
    run.kill()
    status = run.wait()
    assert status in (0, -signal.SIGKILL), f"it ended by itself with status {status}"
    return status == -signal.SIGKILL


def without_clock(things):
    return {key: value for key, value in things.items() if key != "clock"}


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_same(whole: Path, broken: Path):
    """The same checkpoints, byte for byte, and the same record, result, recipe and test part."""
    files = files_below(whole / "checkpoints")
    assert files and files_below(broken / "checkpoints") == files
    files = [f"checkpoints/{name}" for name in files] + ["run.yaml"]
    files += ["test.safetensors"] * (whole / "test.safetensors").exists()
    assert filecmp.cmpfiles(whole, broken, files, shallow=False) == (files, [], [])
    records = [[without_clock(line) for line in read_record(run / "record.jsonl")] for run in (whole, broken)]
    assert records[0] and records[0] == records[1]
    results = [without_clock(json.loads((run / "result.json").read_text())) for run in (whole, broken)]
    assert results[0]["steps"] and results[0] == results[1]


@pytest.mark.parametrize("name", METHODS)
def test_ten_kills_and_the_same_bytes(tmp_path, name):
    settings = {"steps": 60, "save_every_steps": 1, "log_every": 7}
    whole, broken, draw = tmp_path / "whole", tmp_path / "broken", random.Random(name)
    assert Forked(name, whole, **settings).wait() == 0

    kills = halves = 0
    for k in range(10):
        run, at = Forked(name, broken, **settings), steps_of(broken)
        if k % 3 == 0:  # at any time: while data is prepared, the folder opened, the record taken back
            delay = draw.uniform(0, 0.3)
            kills += kill_when(run, lambda seconds, delay=delay: seconds > delay)
        else:  # in the midst of a checkpoint, a few steps on
            goal = at + draw.randrange(5)
            kills += kill_when(run, lambda _, goal=goal: steps_of(broken) >= goal and writing(broken))
            halves += writing(broken)
    # How many meet a half-written checkpoint depends on the machine: five of seven on an idle one.
    assert kills >= 3, f"{kills} of 10 kills met a living run, {halves} a half-written checkpoint"
    assert Forked(name, broken, **settings).wait() == 0
    assert_same(whole, broken)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_whole_processes_killed_and_resumed_end_in_the_same_bytes(tmp_path, name):
    settings = {"steps": 120, "save_every_steps": 15}
    whole, broken, draw = tmp_path / "whole", tmp_path / "broken", random.Random(name)
    assert Forked(name, whole, **settings).wait() == 0

    kills = wanted = 2 if name == "mlp" else 1
    while kills:
        # After some checkpoint of the coming half, and a little: a point between it and the next.
        goal = max(steps_of(broken), 15 * draw.randrange(0, 8 // wanted))
        rest, since = draw.uniform(0, 0.05), []

        def moment(seconds, goal=goal, rest=rest, since=since):
            if steps_of(broken) >= goal and (broken / "record.jsonl").exists():
                since.append(seconds)
            return bool(since) and seconds - since[0] >= rest

        if kill_when(Whole(name, broken, **settings), moment):
            kills -= 1
        elif (broken / "result.json").exists():  # it was done before its moment came: try another moment
            os.rename(broken, tmp_path / f"early-{time.monotonic_ns()}")
    assert Whole(name, broken, **settings).wait() == 0
    assert_same(whole, broken)
