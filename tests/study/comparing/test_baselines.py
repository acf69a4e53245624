"""Baselines meet the very data that the methods get."""

from torchatlas.data import open_dataset
from torchatlas.study.comparing.baselines import run_baseline, shared_settings
from torchatlas.study.training.resolve import resolve
from torchatlas.study.training.train import train


def test_a_baseline_learns_from_the_rows_that_the_methods_learn_from(tmp_path):
    words = {"imbalance": 30.0, "test": 0.3, "valid": 0.1}
    recipe = resolve("mlp", "digits", {**words, "steps": 2, "threads": 1})
    found = run_baseline(
        "random_forest", open_dataset("digits"), 3, shared_settings(recipe), tmp_path / "baseline"
    )
    run = train("mlp", "digits", seed=3, steps=2, threads=1, **words)
    assert found.spec.counts == run.spec.counts and max(found.spec.counts) > 20 * min(found.spec.counts)
    assert found.result["parts"] == run.result["parts"]
    assert (found.test["rows"] == run.test["rows"]).all()


def test_less_of_the_small_classes_costs_the_baseline(tmp_path):
    scores = []
    for imbalance in (1.0, 50.0):
        recipe = resolve("mlp", "digits", {"imbalance": imbalance, "metric": "balanced_accuracy"})
        settings = shared_settings(recipe)
        run = run_baseline("random_forest", open_dataset("digits"), 0, settings, tmp_path / f"{imbalance}")
        scores.append(run.scores["balanced_accuracy"])
    assert scores[0] > scores[1] + 0.1
