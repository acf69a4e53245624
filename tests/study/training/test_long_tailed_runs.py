"""Runs whose training part is cut, augmented or penalised: the recipe is obeyed, and resumes are exact."""

import numpy as np
import pytest
from safetensors.torch import load_file

from torchatlas.data import open_dataset
from torchatlas.data.prepared import prepare
from torchatlas.engine.errors import UsageError
from torchatlas.study.training.train import resume, train

QUICK = {"threads": 1, "numerics": "exact"}


def test_the_training_part_is_cut_to_a_long_tail_and_the_others_are_not():
    whole, cut = (prepare(open_dataset("digits"), seed=1, imbalance=f) for f in (None, 20.0))
    counts = np.array(cut.spec.counts)
    assert (np.diff(counts) <= 0).all() and counts[0] == whole.spec.counts[0]
    assert counts[0] / counts[-1] == pytest.approx(20, rel=0.05)
    assert set(cut.train.rows) < set(whole.train.rows) and len(cut.train) == counts.sum()
    assert np.array_equal(cut.valid.rows, whole.valid.rows) and np.array_equal(cut.test.rows, whole.test.rows)
    assert any("imbalance=20" in note for note in cut.notes)
    again, other = (prepare(open_dataset("digits"), seed=s, imbalance=20.0) for s in (1, 2))
    assert np.array_equal(again.train.rows, cut.train.rows)
    assert not np.array_equal(other.train.rows, cut.train.rows)


def test_a_long_tail_needs_classes():
    with pytest.raises(UsageError, match="needs classes, and this data's task is regression"):
        prepare(open_dataset("diabetes"), seed=0, imbalance=10.0)


def test_a_loss_is_told_the_classes_of_the_cut_part(tmp_path):
    run = train("mlp", "digits", steps=3, imbalance=20.0, loss="balanced_softmax", **QUICK)
    shift = run.model.criterion.shift.exp()
    assert np.allclose(shift, run.spec.counts) and max(run.spec.counts) > 15 * min(run.spec.counts)


@pytest.mark.parametrize("words", ["random_shift(pixels=1)+mixup(alpha=0.4)", "gaussian_noise"])
def test_augmented_and_penalised_runs_resume_exactly(tmp_path, words):
    settings = {"augment": words, "penalty": "l1_regularization", "save_every_steps": 4, **QUICK}
    whole = train("mlp", "digits", out=tmp_path / "whole", steps=10, **settings)
    train("mlp", "digits", out=tmp_path / "cut", steps=5, **settings)
    gone_on = resume(tmp_path / "cut", steps=10)
    states = [
        load_file(sorted((run.folder / "checkpoints").glob("[0-9]*"))[-1] / "state.safetensors")
        for run in (whole, gone_on)
    ]
    assert states[0].keys() == states[1].keys()
    assert all((states[0][k] == states[1][k]).all() for k in states[0])
    plain = train("mlp", "digits", out=tmp_path / "plain", steps=10, **QUICK)
    assert plain.scores != whole.scores


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"augment": "mixupp"}, "no method is called 'mixupp'; did you mean mixup"),
        ({"augment": "relu"}, "relu is an activation, not an augmentation"),
        ({"augment": "mixup(beta=1)"}, "mixup has no option 'beta'"),
        ({"penalty": "mse_loss"}, "mse_loss is a loss, not a penalty"),
        ({"augment": "random_shift(pixels=9)"}, "cannot be moved by 9 pixels"),
    ],
)
def test_wrong_words_are_told_before_a_run_begins(tmp_path, settings, told):
    with pytest.raises((UsageError, LookupError), match=told.replace("(", r"\(")):
        train("mlp", "digits", out=tmp_path / "run", steps=2, **settings, **QUICK)
    assert not (tmp_path / "run").exists()
