import math
from collections import Counter

import numpy as np
import pytest
import torch

from torchatlas import compare
from torchatlas.data import open_dataset, prepare
from torchatlas.engine.errors import UsageError
from torchatlas.study.comparing.guesses import Bigram, RandomPolicy, guess_for

TEXT = "the cat sat on the mat; a hat, a rat, that bat!\n" * 30


def test_a_bigram_counts_pairs(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    prepared = prepare(open_dataset(f"text:{tmp_path / 'a.txt'}"), seed=0, context=8)
    model = guess_for(prepared, {})
    assert isinstance(model, Bigram)
    train, names = prepared.train, prepared.spec.classes
    pairs = Counter(zip(train.x.flatten().tolist(), train.y.flatten().tolist(), strict=True))
    firsts = Counter(train.x.flatten().tolist())
    x, y = prepared.test.x[0], prepared.test.y[0]
    wanted = [
        -math.log2((pairs[a, b] + 1) / (firsts[a] + len(names)))
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    got = model.scores((x[None], y[None]))
    assert float(got["bits_per_character"][0]) == pytest.approx(np.mean(wanted), rel=1e-9)


def test_a_random_policy_lives_about_twenty_steps():
    prepared = prepare(open_dataset("gym:CartPole-v1"), seed=0)
    model = guess_for(prepared, {})
    assert isinstance(model, RandomPolicy)
    scores = model.scores((prepared.test.x,))["return"]
    assert scores.shape == (100,) and 15 < float(scores.mean()) < 30


def test_text_is_compared_with_a_bigram_beside(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    small = {"context": 8, "width": 8, "steps": 2, "threads": 1}
    found = compare(
        ["lstm"], f"text:{tmp_path / 'a.txt'}", seeds=2, jobs=1, out=tmp_path / "study", show="none", **small
    )
    assert next(iter(found.table.index)) == "bigram (baseline)"
    assert found.study.metric == "bits_per_character" and not found.study.higher_is_better
    assert "bigram" in found.report.read_text() and "<pre>" in found.report.read_text()


def test_methods_that_split_differently_are_not_compared(tmp_path):
    x, y = torch.randn(200, 4).numpy(), np.arange(200) % 10
    with pytest.raises(UsageError, match="other test parts"):
        compare(["prototypical_networks", "mlp"], (x, y), seeds=2, out=tmp_path / "s", show="none")
