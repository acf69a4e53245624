"""A short soak: runs killed at random moments end in the bytes of runs that nobody touched."""

import json
import random
import shutil
import sys
from dataclasses import replace

import pytest

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL and no fork here", allow_module_level=True)

from tools.soak import OTHERS, Case, Forked, cases, differences, draw_moment, end, kill_when, soak

from torchatlas.cards.reader import catalog
from torchatlas.engine.record import read_record

# One of each kind of state: players in turns, stages, a target that moves, episodes, dropout with a moving
# average, an optimizer's own, batch statistics, text. `make soak` has them all, and agents have a page.
SHORT = (
    "gan_nonsaturating",
    "stacked_denoising_autoencoder",
    "mean_teacher",
    "maml",
    "mlp, EMA, micro-batches, clipping",
    "mlp, sm3, lr_warmup",
    "conv4 (batch_norm)",
    "lstm on text",
)


def case_of(name, home, **settings):
    case = next(case for case in cases(home) if case.name == name)
    return replace(case, settings=case.settings | settings)


@pytest.mark.parametrize("name", SHORT)
def test_killed_at_random_moments_and_the_same_bytes(tmp_path, name):
    row = soak(case_of(name, tmp_path, steps=15), 2, 0, tmp_path, random.Random(name))
    assert not row.wrong, row
    assert row.kills >= 2 and row.runs >= 1


@pytest.mark.slow
def test_whole_processes_killed_and_the_same_bytes(tmp_path):
    row = soak(case_of("mlp, dropout", tmp_path), 0, 2, tmp_path, random.Random(0))
    assert not row.wrong and row.whole == 2, row


def test_every_learner_of_the_catalog_is_soaked(tmp_path):
    names = {case.name for case in cases(tmp_path)}
    assert names == {card.name for card in catalog().values() if card.kind == "learner"} | set(OTHERS)
    assert set(SHORT) <= names


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two runs of one recipe that nobody touched."""
    home = tmp_path_factory.mktemp("finished")
    for name in "ab":
        end(
            Forked(
                Case("mlp", "mlp", {"data": "iris", "steps": 6, "threads": 1, "device": "cpu"}), home / name
            )
        )
    return home


SPOILT = {
    "checkpoints/00000006/state.safetensors": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "run.yaml": lambda content: content.replace(b"seed: 0", b"seed: 1"),
    "record.jsonl": lambda content: b"".join(content.splitlines(keepends=True)[:-1]),
    "result.json": lambda content: json.dumps({**json.loads(content), "steps": 5}).encode(),
    "test.safetensors": lambda content: content + b" ",
    "preparation/preparation.json": lambda content: content.replace(b"float32", b"float64"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_difference_is_seen(finished, tmp_path, name):
    assert differences(finished / "a", finished / "b") == []
    shutil.copytree(finished / "b", tmp_path / "b")
    path = tmp_path / "b" / name
    path.write_bytes(SPOILT[name](path.read_bytes()))
    assert len(differences(finished / "a", tmp_path / "b")) == 1
    path.unlink()
    assert differences(finished / "a", tmp_path / "b") == [f"not in both: {name}"]


def test_only_the_clock_may_differ(finished, tmp_path):
    lines = [read_record(finished / name / "record.jsonl") for name in "ab"]
    assert lines[0] != lines[1] and [{**line, "clock": 0} for line in lines[0]] == [
        {**line, "clock": 0} for line in lines[1]
    ]


def test_a_run_that_fails_is_told_with_its_last_words(tmp_path):
    row = soak(
        Case("wrong", "mlp", {"data": "no_such_set", "device": "cpu"}), 1, 0, tmp_path, random.Random(0)
    )
    assert len(row.wrong) == 1 and "status 1" in row.wrong[0] and "no_such_set" in row.wrong[0]
    assert "no_such_set" in str(row) and (tmp_path / "wrong").exists()


def test_a_kill_counts_where_it_met_a_living_run(finished, tmp_path):
    case = Case("mlp", "mlp", {"data": "iris", "steps": 6, "threads": 1, "device": "cpu"})
    assert kill_when(Forked(case, tmp_path / "run"), lambda seconds: True)
    assert not kill_when(Forked(case, tmp_path / "run"), lambda seconds: False)
    assert differences(finished / "a", tmp_path / "run") == []
    moments = [draw_moment(random.Random(k), tmp_path / "run", 0.5) for k in range(9)]
    assert sum(moment(1.0) for moment in moments) in range(
        1, 9
    )  # those at any time; no step is left to wait for
