import numpy as np
import pytest
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.estimators.training import LEAST_STEPS, Method, make_recipe
from torchatlas.study.training.loops import steps_of

SAID = {"seed": 3, "device": "cpu"}


def test_a_small_table_is_one_batch_and_takes_the_least_steps():
    recipe = make_recipe("mlp", 256, SAID, {})
    assert (recipe.batch_size, recipe.epochs, recipe.steps, recipe.valid) == (256, None, LEAST_STEPS, 0.0)


def test_a_larger_one_takes_what_the_card_says():
    recipe = make_recipe("mlp", 20_000, SAID, {})
    assert (recipe.batch_size, recipe.epochs, recipe.steps, recipe.lr) == (64, 30, None, 0.003)


def test_what_is_said_is_obeyed():
    said = SAID | {"epochs": np.int64(2), "batch_size": 10, "lr": np.float64(0.5), "patience": 4}
    recipe = make_recipe("mlp", 100, said, {"hidden": (8,), "clip": 1.0, "valid": 0.3})
    assert (recipe.epochs, recipe.batch_size, recipe.lr, recipe.steps) == (2, 10, 0.5, None)
    assert (recipe.options, recipe.clip, recipe.valid, recipe.seed) == ({"hidden": (8,)}, 1.0, 0.3, 3)
    assert make_recipe("mlp", 100, said, {}).valid == 0.15


def test_budget_in_steps():
    assert steps_of(make_recipe("mlp", 100, SAID | {"epochs": 2.5, "batch_size": 50}, {}), 2) == 5
    assert steps_of(make_recipe("mlp", 100, SAID, {"steps": 7}), 2) == 7
    assert steps_of(make_recipe("mlp", 100, SAID, {"minutes": 1}), 2) > 10**6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.1}, "'lr' is said twice"),
        ({"test": 0.1}, "'test' means nothing"),
        ({"hiden": (8,)}, "did you mean hidden"),
        ({"clip": -1}, "clip=-1"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(UsageError, match=message):
        make_recipe("mlp", 100, SAID | {"lr": 0.1}, options)


@pytest.mark.parametrize(
    ("network", "message"), [(None, "must be a name"), ("random_forest", "of scikit-learn itself")]
)
def test_what_is_no_network(network, message):
    with pytest.raises(UsageError, match=message):
        Method.of(network)


def test_the_size_of_images():
    assert Method.of("lenet5").image_size({}, folded=True) == (28, 28)
    assert Method.of("mlp").image_size({}, folded=True) is None
    assert Method.of("mlp").image_size({}, folded=False) is None
    with pytest.raises(UsageError, match="give input_shape"):
        Method.of("lenet5").image_size({}, folded=False)


def test_ones_own_class_is_kept():
    assert Method.of(nn.Linear).thing is nn.Linear
    assert Method.of("torch.nn:Linear").thing is None
