"""Ctrl-C, SIGTERM, a full disk, no permission: a message each, and nothing is lost."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from disks import fill, mounted, remount
from torchatlas.engine.record import read_record

if os.name == "nt":
    pytest.skip("signals, users and mounts are others here", allow_module_level=True)

LONG = ("--data", "digits", "--steps", 3000, "--set", "threads=1", "--set", "log_every=20")


def record_of(run):
    return [{k: v for k, v in line.items() if k != "clock"} for line in read_record(run / "record.jsonl")]


def last_state(run):
    return (max((run / "checkpoints").iterdir()) / "state.safetensors").read_bytes()


def begun(folder):
    return lambda: any(path.stat().st_size for path in folder.rglob("record.jsonl"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_at_a_checkpoint_and_says_how_to_go_on(atlas, typed, until, here, number):
    named = number == signal.SIGINT  # with --out, and without
    process = typed("train", "mlp", *LONG, *(["--out", "run"] if named else []))
    until(begun(here))
    process.send_signal(number)
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and "Traceback" not in err
    run = here / "run" if named else next((here / "runs").iterdir())
    assert number.name in err and f"torchatlas train --resume {run.relative_to(here)}" in err
    assert len(list((run / "checkpoints").iterdir())) == 1 and not (run / "result.json").exists()
    if named:
        assert atlas("train", "--resume", run, "--steps", 1000).status == 0
        words = [word if word != 3000 else 1000 for word in LONG]
        assert atlas("train", "mlp", *words, "--out", "whole").status == 0
        assert last_state(run) == last_state(here / "whole") and record_of(run) == record_of(here / "whole")


def test_a_comparison_stops_and_goes_on(atlas, typed, until, here):
    words = [
        "mlp",
        "--data",
        "iris",
        "--steps",
        2500,
        "--seeds",
        1,
        "--jobs",
        1,
        "--set",
        "threads=1",
        "--out",
        "study",
    ]
    process = typed("compare", *words)
    until(begun(here))
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and "Traceback" not in err
    assert "same command" in err or "torchatlas compare" in err, err  # how to go on
    (checkpoint,) = (here / "study" / "runs" / "mlp-seed0" / "checkpoints").iterdir()
    at = checkpoint.stat().st_mtime_ns
    assert atlas("compare", *words).status == 0
    assert not checkpoint.exists() or checkpoint.stat().st_mtime_ns == at
    (recorded,) = (here / "study" / "runs").glob("mlp-*/record.jsonl")
    steps = [line["step"] for line in read_record(recorded) if line["kind"] == "train"]
    assert steps == sorted(set(steps)) and steps[-1] == 2500


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_comparison_of_many_processes_stops_as_one(typed, until, here):
    process = typed("compare", "mlp", *LONG, "--seeds", 2, "--jobs", 2, "--out", "study")
    until(begun(here))
    process.terminate()
    assert process.wait(60) == 130
    until(lambda: not alive(process.pid), seconds=20)  # its workers do not outlive it
    assert "Traceback" not in process.stderr.read()
    assert list((here / "study" / "runs").glob("mlp-*/checkpoints/0*"))


@pytest.fixture
def small_disk(here):
    """Mounts a disk of a few hundred kilobytes; a call gives it room."""
    with mounted(here / "disk", "600k") as place:
        yield place


def test_a_disk_that_fills_up_while_training(atlas, here, small_disk):
    words = ["mlp", "--data", "digits", "--steps", 30, "--set", "save_every_steps=5", "--set", "threads=1"]
    outcome = atlas("train", *words, "--set", "hidden=128", "--out", "disk/run")
    assert outcome.status == 1 and "the disk is full" in outcome.err and "Free some space" in outcome.err
    run = small_disk / "run"
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert kept and all(name.isdigit() for name in kept), kept
    remount(small_disk, "size=20m")
    assert atlas("train", "--resume", "disk/run").status == 0
    assert atlas("train", *words, "--set", "hidden=128", "--out", "whole").status == 0
    assert last_state(run) == last_state(here / "whole") and record_of(run) == record_of(here / "whole")


def test_a_disk_that_is_full_already(atlas, here, small_disk, digits_run, vae_run):
    fill(small_disk)
    for words in (
        ["train", "mlp", "--steps", 1, "--out", "disk/run"],
        ["train", "decision_tree", "--data", "iris", "--out", "disk/tree"],
        ["compare", "mlp", "--data", "iris", "--steps", 1, "--seeds", 1, "--jobs", 1, "--out", "disk/study"],
        ["predict", digits_run, "--data", "digits", "--out", "disk/answers.csv"],
        ["sample", vae_run, "--out", "disk/new.png"],
        ["sample", vae_run, "--out", "disk/new.npz"],
        ["report", digits_run, "--out", "disk/page.html"],
    ):
        outcome = atlas(*words)
        assert outcome.status == 1 and "the disk is full" in outcome.err, (words, outcome.said)
        assert str(words[-1]).split("/")[1] in outcome.err, words


def test_standard_output_that_is_full(here):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "torchatlas", "list"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "No space left" in done.stderr


def test_a_path_below_a_file(atlas, here, digits_run, vae_run):
    (here / "file").write_text("in the way")
    for words in (
        ["train", "mlp", "--steps", 1, "--out", "file/run"],
        ["compare", "mlp", "--data", "iris", "--steps", 1, "--seeds", 1, "--jobs", 1, "--out", "file/study"],
        ["predict", digits_run, "--data", "digits", "--out", "file/answers.csv"],
        ["sample", vae_run, "--out", "file/new.png"],
        ["report", digits_run, "--out", "file/page.html"],
    ):
        outcome = atlas(*words)
        assert outcome.status == 1 and "could not be written" in outcome.err and "file/" in outcome.err, words
    assert (here / "file").read_text() == "in the way"


def test_where_a_result_goes(atlas, here, digits_run, vae_run):
    (here / "file").write_text("in the way")
    quick = ["--data", "iris", "--steps", 1]
    for words in (["train", "mlp", *quick], ["compare", "mlp", *quick, "--seeds", 1, "--jobs", 1]):
        outcome = atlas(*words, "--out", "file")
        assert outcome.status == 1 and "file is a file, not a folder" in outcome.err, outcome.said
    for words in (["predict", digits_run, "--data", "digits"], ["sample", vae_run]):
        outcome = atlas(*words, "--out", "nowhere/x.png")
        assert outcome.status == 1 and "there is no folder nowhere" in outcome.err, outcome.said
    for words in (["predict", digits_run, "--data", "digits"], ["report", digits_run], ["sample", vae_run]):
        outcome = atlas(*words, "--out", here)
        assert outcome.status in (1, 2) and "is a folder" in outcome.err, outcome.said


def test_samples_without_a_suffix_get_the_one_that_fits(atlas, here, vae_run):
    assert "4 samples: new.png" in atlas("sample", vae_run, "--count", 4, "--out", "new").out
    assert "4 samples: samples.png" in atlas("sample", vae_run, "--count", 4).out
    assert (here / "new.png").read_bytes() == (here / "samples.png").read_bytes()


@pytest.fixture
def locked(monkeypatch):
    """A folder that everybody may look into and nobody but root may write to, and a private one in it."""
    monkeypatch.chdir(tempfile.gettempdir())
    base = Path(tempfile.mkdtemp())
    (base / "private").mkdir(mode=0o700)
    (base / "private" / "data.csv").write_text("x,y\n1,2\n")
    for path in (base / "private", base):
        path.chmod(0o555 if path == base else 0o000 if os.geteuid() else 0o700)
    yield base
    base.chmod(0o700)
    (base / "private").chmod(0o700)
    shutil.rmtree(base)


@pytest.mark.parametrize("place", ["", "private/"])
def test_no_permission_to_write(atlas, locked, unprivileged, place, tmp_path):
    for words in (
        ("train", "mlp"),
        ("compare", "mlp", "--seeds", 1, "--jobs", 1),
    ):  # else modules are missing
        atlas(
            *words, "--data", "iris", "--steps", 1, "--out", tmp_path / words[0]
        )  # that root alone may read
    with unprivileged():
        outcome = atlas("train", "mlp", "--steps", 1, "--out", f"{locked}/{place}run")
        study = atlas(
            "compare",
            "mlp",
            "--data",
            "iris",
            "--steps",
            1,
            "--seeds",
            1,
            "--jobs",
            1,
            "--out",
            f"{locked}/{place}s",
        )
    assert outcome.status == 1 and "no permission to write" in outcome.err and "--out" in outcome.err
    assert study.status == 1 and "no permission to write" in study.err


def test_no_permission_to_read(atlas, locked, unprivileged):
    with unprivileged():
        data = atlas(
            "train", "mlp", "--data", f"csv:{locked}/private/data.csv", "--target", "y", "--out", "run"
        )
        run = atlas("train", "--resume", f"{locked}/private")
        used = atlas("predict", f"{locked}/private", "--data", "digits", "--out", "-")
    for outcome in (data, run, used):
        assert outcome.status == 1 and "permission" in outcome.err and str(locked) in outcome.err
