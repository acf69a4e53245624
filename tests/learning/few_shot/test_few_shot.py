import numpy as np
import pytest
import torch

from torchatlas.data.prepared import prepare
from torchatlas.data.spec import Dataset, Spec
from torchatlas.engine.errors import DataError, UsageError
from torchatlas.engine.learner import Learner
from torchatlas.learning.few_shot import FOMAML, MAML, PrototypicalNetworks
from torchatlas.learning.few_shot.learner import TRIALS

every = pytest.mark.parametrize("kind", [MAML, FOMAML, PrototypicalNetworks])


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(20), 8)
    images = draw.integers(0, 256, (160, 8, 8, 1), dtype=np.uint8)
    made = Dataset("small", "image", images, labels, "classification", tuple(map(str, range(20))))
    return prepare(made, seed=0, split="classes", valid=0.25)


def make(kind, spec, **more):
    wide = {"train_way": 6} if kind is PrototypicalNetworks else {}
    return kind.for_data(spec, backbone="mlp", way=3, shot=2, query=4, train_query=3, **wide, **more)


@every
def test_episodes_are_of_the_part_that_is_trained_or_scored_on(kind, data):
    one = make(kind, data.spec)
    support, numbers, query, _ = one.source(data, 5, 0, "cpu").batch(0)
    assert support.shape == (5, 2 * one.train_way, 1, 8, 8) and query.shape[1] == 3 * one.train_way
    assert int(numbers.max()) == one.train_way - 1
    trials = list(one.trials(data.test, 0))
    assert sum(len(trial[0]) for trial in trials) == TRIALS
    again = list(one.trials(data.test, 0))
    assert all(
        torch.equal(a, b)
        for one, two in zip(trials, again, strict=True)
        for a, b in zip(one, two, strict=True)
    )
    shown = trials[0][0].flatten(0, 1)
    assert all((data.test.x == image).flatten(1).all(1).any() for image in shown[:10])


@every
def test_what_it_cannot_learn_from_is_told(kind, data):
    with pytest.raises(UsageError, match="regression"):
        kind.for_data(Spec("table", (4,), "regression", 1))
    with pytest.raises(DataError, match="30-way"):
        next(kind.for_data(data.spec, way=30).trials(data.test, 0))
    assert kind.predict is Learner.predict and kind.monitor == "accuracy" and kind.maximise


def test_a_task_is_learned_in_steps():
    with pytest.raises(UsageError, match="inner_steps=0"):
        MAML.for_data(Spec("table", (4,), "classification", 3), inner_steps=0)
