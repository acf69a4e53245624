import json
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from torchatlas.engine import stackable, stacked
from torchatlas.engine.errors import Interrupted
from torchatlas.engine.randomness import reseed
from torchatlas.study.comparing import bundles
from torchatlas.study.comparing.bundles import bundled
from torchatlas.study.comparing.compare import compare
from torchatlas.study.comparing.jobs import Entry, Job
from torchatlas.study.training.run import load

SHOWN = {"seeds": 3, "jobs": 1, "threads": 1, "show": "none"}


@pytest.fixture(autouse=True)
def no_baselines_and_short_measurements(monkeypatch):
    monkeypatch.setattr("torchatlas.study.comparing.compare.baseline_names", lambda *given: [])
    monkeypatch.setattr("torchatlas.study.training.costs.TRIAL_SECONDS", 0.01)


@pytest.fixture
def at_once(monkeypatch):
    """Train together whatever can be, however short and slow."""
    monkeypatch.setattr(stackable, "WORTH", 0.0)
    monkeypatch.setattr(stacked, "WIN", 0.0)
    monkeypatch.setattr(stacked, "PAIRS", 1)
    monkeypatch.setattr(bundles, "FEW", 0)


def result_of(run):
    return json.loads((run / "result.json").read_text())


def apart_and_together(tmp_path, methods, data, **settings):
    """The same comparison twice: the two, and the folders of the runs by their names."""
    both = [
        compare(methods, data, out=tmp_path / name, together=name == "together", **SHOWN, **settings)
        for name in ("apart", "together")
    ]
    runs = [{run.name: run for run in sorted((each.folder / "runs").glob("[!.]*-seed*"))} for each in both]
    assert runs[0].keys() == runs[1].keys()
    return *both, *runs


@pytest.mark.parametrize(
    ("methods", "data", "settings"),
    [
        (["mlp", "softmax_regression"], "digits", {"hidden": [16], "schedule": "lr_cosine", "epochs": 4}),
        (["mlp"], "diabetes", {"optimizer": "adamw", "hidden": [8], "patience": 3, "epochs": 12}),
    ],
)
def test_a_study_with_its_seeds_together_is_that_of_separate_runs(tmp_path, at_once, methods, data, settings):
    apart, together, alone, bundle = apart_and_together(tmp_path, methods, data, **settings)
    costs = ["train_seconds", "latency_ms"]
    pd.testing.assert_frame_equal(
        apart.table.drop(columns=costs), together.table.drop(columns=costs), rtol=1e-5
    )
    assert apart.sentence == together.sentence
    for name, run in bundle.items():
        result, expected = result_of(run), result_of(alone[name])
        assert result["clock"]["together"] == 3 and "together" not in expected["clock"]
        label = name.partition("-")[0]
        assert result.pop("notes") == [*expected.pop("notes"), f"{label}: 3 seeds were trained together"]
        for scores in ("scores", "train_scores"):
            assert result[scores] == pytest.approx(expected[scores], rel=1e-5)
        same = result.keys() - {"scores", "train_scores", "clock", "test_sha256", "sha256"}
        assert {key: result[key] for key in same} == {key: expected[key] for key in same}
        assert (run / "run.yaml").read_text() == (alone[name] / "run.yaml").read_text()
        assert sorted(p.name for p in run.rglob("*")) == sorted(p.name for p in alone[name].rglob("*"))
        weights, others = load(run).model.state_dict(), load(alone[name]).model.state_dict()
        torch.testing.assert_close(weights, others, rtol=1e-5, atol=1e-5)
    splits = {load(run).test["rows"].tobytes() for name, run in bundle.items() if name.startswith("mlp")}
    assert len(splits) == 3  # each seed has its own


def test_what_cannot_be_trained_together_is_trained_apart(tmp_path, at_once):
    found = compare("mlp", "iris", vary={"dropout": [0.0, 0.5]}, steps=12, out=tmp_path / "s", **SHOWN)
    counts = {
        (run.name.partition("-seed")[0], result_of(run)["clock"].get("together"))
        for run in (tmp_path / "s/runs").glob("dropout*")
    }
    assert counts == {("dropout-0.0", 3), ("dropout-0.5", None)}
    assert list(found.table["failed"]) == [0] * len(found.table)


def test_short_runs_are_not_tried(tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, "run_bundle", None)
    compare("mlp", "iris", steps=12, out=tmp_path / "s", **SHOWN)


class Fragile(nn.Module):
    """One of the seeds 0 to 2 draws a weakness: some of its batches have no finite loss."""

    def __init__(self, in_features: int, num_classes: int):
        super().__init__()
        self.layer = nn.Linear(in_features, num_classes)
        weak = self.layer.weight.sum() > LIMIT
        self.register_buffer("shift", torch.tensor(2.0 if weak else 100.0))

    def forward(self, x):
        noise = torch.log(x[0, 1] + self.shift) if self.training else 0.0
        return self.layer(x) + 0 * noise


def sum_of(seed):
    reseed("cpu", seed, "init")
    return nn.Linear(4, 3).weight.sum().item()


LIMIT = sorted(map(sum_of, range(3)))[1]


def test_one_run_that_is_not_finite_fails_alone(tmp_path, at_once):
    apart, together, *_ = apart_and_together(tmp_path, Fragile, "iris", optimizer="sgd", lr=0.1, steps=40)
    errors = [[run.error for run in each.study.methods[0].runs] for each in (apart, together)]
    assert errors[0] == [error and error.replace("together/runs", "apart/runs") for error in errors[1]]
    assert sum(error is not None and "not finite" in error for error in errors[1]) == 1
    sound = [run for run in (tmp_path / "together/runs").glob("Fragile*") if (run / "result.json").exists()]
    assert [result_of(run)["clock"]["together"] for run in sound] == [3, 3]


def test_an_interrupted_bundle_goes_on(tmp_path, at_once, monkeypatch):
    whole = compare("mlp", "digits", hidden=[8], epochs=3, out=tmp_path / "whole", **SHOWN)
    steps, run = [], stacked.Stack._step

    def step(stack, signals):
        steps.append(stack.active[0].step)
        if steps[-1] == 20 and len(steps) == 20:
            signal.raise_signal(signal.SIGINT)
        run(stack, signals)

    monkeypatch.setattr(stacked.Stack, "_step", step)
    settings = {"hidden": [8], "epochs": 3, "out": tmp_path / "s", **SHOWN}
    with pytest.raises(Interrupted, match="0 of 3 runs"):
        compare("mlp", "digits", **settings)
    assert {path.name for path in (tmp_path / "s/runs").glob("mlp*/checkpoints/*")} == {"00000021"}
    again = compare("mlp", "digits", **settings)
    assert steps[20] == 22  # it went on; the first step was one by one
    pd.testing.assert_frame_equal(
        whole.table[["accuracy", "runs"]], again.table[["accuracy", "runs"]], rtol=1e-5
    )
    assert all(result_of(run)["clock"]["together"] == 3 for run in (tmp_path / "s/runs").glob("mlp*"))


def test_runs_that_are_at_their_end_have_nothing_left_to_train(tmp_path, at_once):
    settings = {"steps": 40, "out": tmp_path / "s", **SHOWN}
    compare("mlp", "iris", **settings)
    runs = sorted((tmp_path / "s/runs").glob("mlp*"))
    before = [result_of(run)["scores"] for run in runs]
    for run in runs:
        (run / "result.json").unlink()
    compare("mlp", "iris", **settings)
    assert [result_of(run)["scores"] for run in runs] == before
    assert {path.name for run in runs for path in (run / "checkpoints").iterdir()} == {"00000040"}
    assert {result_of(run)["steps"] for run in runs} == {40}


def jobs_of(*entries, seeds=10):
    pairs = [(entry, seed) for seed in range(seeds) for entry in entries]
    return [Job(entry, seed, "iris", {}, Path(f"{entry.label}-seed{seed}"), "study") for entry, seed in pairs]


def test_seeds_are_cut_into_bundles_for_the_workers():
    mlp, relu, forest = Entry("mlp", "mlp"), Entry("relu", "relu"), Entry("forest", "forest", baseline=True)

    def sizes(workers, *entries, seeds=10):
        return [len(bundle) for bundle in bundled(jobs_of(*entries, seeds=seeds), workers)]

    assert sizes(1, mlp) == [10]
    assert sizes(2, mlp) == [5, 5]
    assert sizes(2, mlp, relu, forest) == [5, 5, 5, 5, *[1] * 10]
    assert sizes(16, mlp, seeds=5) == [3, 2]
    assert sizes(4, mlp, seeds=1) == [1]
    assert sizes(4, Entry("mlp", "mlp", {"minutes": 1.0}), seeds=4) == [1] * 4
    parts = bundled(jobs_of(mlp, relu), 2)
    assert all(len({job.entry.label for job in part}) == 1 for part in parts)
    assert sorted(job.folder for part in parts for job in part) == sorted(
        j.folder for j in jobs_of(mlp, relu)
    )
