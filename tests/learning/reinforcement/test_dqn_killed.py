"""An agent killed without warning, in the midst of episodes, ends in the bytes of an untouched run."""

import filecmp
import json
import multiprocessing
import signal
import sys
import time

import pytest

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL and no fork here", allow_module_level=True)
pytest.importorskip("gymnasium")

from torchatlas.engine.record import read_record
from torchatlas.study.training.train import resume, train

PATIENCE = 120  # seconds after which a process counts as hung
STEPS = 60
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["gymnasium", "torch._dynamo", "torchatlas.study.training.train"])


def started(folder):
    if (folder / "run.yaml").exists():
        process = WARM.Process(target=resume, args=(folder,))
    else:
        said = {
            "memory": 200,
            "actors": 3,
            "epsilon": 0.2,
            "steps": STEPS,
            "threads": 1,
            "save_every_steps": 1,
        }
        process = WARM.Process(target=train, args=("dqn", "gym:CartPole-v1"), kwargs={**said, "out": folder})
    process.start()
    return process


def steps_of(folder):
    return max((int(path.name) for path in (folder / "checkpoints").glob("[0-9]*")), default=0)


def ended(process):
    process.join(PATIENCE)
    assert not process.is_alive(), "the process hangs"
    return process.exitcode


def killed_at(folder, goal):
    """Whether a run was still going on when it was killed, as soon as it had so many steps."""
    process, began = started(folder), time.monotonic()
    while process.is_alive() and steps_of(folder) < goal:
        assert time.monotonic() - began < PATIENCE, "the moment never came"
        time.sleep(0.0005)
    process.kill()
    return ended(process) == -signal.SIGKILL


def told(folder):
    lines = [*read_record(folder / "record.jsonl"), json.loads((folder / "result.json").read_text())]
    return [{key: value for key, value in line.items() if key != "clock"} for line in lines]


def test_killed_in_the_midst_of_episodes_and_the_same_bytes(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert ended(started(whole)) == 0
    kills = sum(killed_at(broken, goal) for goal in (5, 17, 18, 40))
    assert kills >= 2
    assert ended(started(broken)) == 0
    kept = sorted(str(p.relative_to(whole)) for p in (whole / "checkpoints").rglob("*") if p.is_file())
    files = [*kept, "run.yaml", "test.safetensors"]
    assert filecmp.cmpfiles(whole, broken, files, shallow=False) == (files, [], [])
    assert told(whole) == told(broken)
