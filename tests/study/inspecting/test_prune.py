import numpy as np
import pytest
import torch

from torchatlas.engine.errors import AtlasError, UsageError
from torchatlas.study.inspecting.prune import prune
from torchatlas.study.training.run import load
from torchatlas.study.training.train import resume, train


def zeros(run):
    return {name: int((w == 0).sum()) for name, w in run.model.named_parameters() if name.endswith("weight")}


def test_a_pruned_run_is_a_run_with_zeros(digits, tmp_path):
    before = {name: w.clone() for name, w in digits.model.state_dict().items()}
    found = prune(digits.folder, sparsity=0.8, epochs=2, out=tmp_path / "small")
    assert found.weights == 64 * 32 + 32 * 10 and found.kept == found.weights - round(0.8 * 2048) - 256
    assert found.original == pytest.approx(digits.scores["accuracy"])
    assert found.tuned > found.pruned
    run = load(tmp_path / "small")
    assert list(zeros(run).values()) == [round(0.8 * 2048), 256]
    assert list(run.model.state_dict()) == list(before)
    assert run.scores["accuracy"] == found.tuned == pytest.approx(found.run.scores["accuracy"])
    assert np.array_equal(run.test["rows"], digits.test["rows"])
    assert (tmp_path / "small" / "run.yaml").read_text().startswith("# pruning_magnitude(sparsity=0.8) of ")
    assert "pruning_magnitude" in run.result["notes"][0] and run.history
    assert set(run.evaluate("digits")) == set(digits.evaluate("digits"))
    kept = load(digits.folder).model.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in before.items())
    again = resume(tmp_path / "small", epochs=9)
    assert list(zeros(again).values()) == [round(0.8 * 2048), 256]


def test_the_same_twice_and_without_further_training(digits, tmp_path):
    a, b = (prune(digits, sparsity=0.5, epochs=1, out=tmp_path / name) for name in "ab")
    same = zip(a.run.model.parameters(), b.run.model.parameters(), strict=True)
    assert all(torch.equal(x, y) for x, y in same)
    still = prune(digits, sparsity=0.5, epochs=0, out=tmp_path / "c")
    assert still.pruned == still.tuned and load(tmp_path / "c").scores["accuracy"] == still.tuned


def test_settings_of_the_recipe_and_of_the_method(digits, tmp_path):
    found = prune(digits, sparsity=0.5, scope="global", lr=1e-4, epochs=1, out=tmp_path / "small")
    assert found.run.recipe.lr == 1e-4 and found.run.recipe.epochs == 1 and found.run.recipe.steps is None
    assert sum(zeros(found.run).values()) == round(0.5 * 2368)
    with pytest.raises(AtlasError, match="already holds a run"):
        prune(digits, out=tmp_path / "small")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"sparsity": 2}, "below 1"),
        ({"sparcity": 0.5}, "no option 'sparcity'"),
        ({"epochs": -1}, "at least 0"),
    ],
)
def test_wrong_words(digits, tmp_path, words, told):
    with pytest.raises(UsageError, match=told):
        prune(digits, out=tmp_path / "small", **words)
    assert not (tmp_path / "small").exists()


def test_a_forest_has_nothing_to_prune(tmp_path):
    run = train("random_forest", "iris", out=tmp_path / "trees", n_estimators=3)
    with pytest.raises(UsageError, match="no weights to prune"):
        prune(run)
