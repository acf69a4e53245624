import pickle
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from torch import nn

from torchatlas.engine.errors import Interrupted, NotFinite
from torchatlas.estimators import AtlasClassifier, AtlasRegressor, base

X, Y = load_iris(return_X_y=True)
FEW = {"options": {"steps": 3}, "random_state": 0}


class Narrow(nn.Module):
    """A user's own network."""

    def __init__(self, in_features: int, num_classes: int, width: int = 5):
        super().__init__()
        self.a, self.b = nn.Linear(in_features, width), nn.Linear(width, num_classes)

    def forward(self, x):
        return self.b(self.a(x).relu())


def narrow(in_features: int, num_classes: int) -> nn.Module:
    return Narrow(in_features, num_classes)


@pytest.mark.parametrize("network", [Narrow, narrow, "estimators_own:Narrow"])
def test_a_network_of_ones_own(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "estimators_own", sys.modules[__name__])
    model = AtlasClassifier(network, lr=0.02, random_state=0).fit(X, Y)
    assert isinstance(model.network_, Narrow) and model.score(X, Y) > 0.9
    assert clone(model).network is network


def test_options_reach_the_network():
    model = AtlasClassifier(Narrow, options={"width": 9, "steps": 2}).fit(X, Y)
    assert model.network_.a.out_features == 9 and model.n_iter_ == 2


def test_the_same_random_state_gives_the_same_bits():
    first, again, other = (
        AtlasClassifier("mlp", batch_size=40, epochs=3, random_state=s).fit(X, Y) for s in (1, 1, 2)
    )
    assert np.array_equal(first.predict_proba(X), again.predict_proba(X))
    assert not np.allclose(first.predict_proba(X), other.predict_proba(X))
    state = np.random.RandomState(1)
    drawn = [AtlasClassifier(random_state=state, epochs=3).fit(X, Y).predict_proba(X) for _ in range(2)]
    assert not np.allclose(*drawn)


def test_fits_in_threads_do_not_disturb_each_other():
    def fit(seed: int) -> np.ndarray:
        settings = {"options": {"dropout": 0.5, "steps": 20}, "random_state": seed}
        return AtlasClassifier(**settings).fit(X, Y).predict_proba(X)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, range(4)))
    assert all(np.array_equal(fit(seed), found) for seed, found in enumerate(together))


def test_nothing_global_is_changed():
    before = (
        torch.get_rng_state(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        signal.getsignal(signal.SIGINT),
    )
    AtlasClassifier(options={"steps": 3, "dropout": 0.5}, random_state=0).fit(X, Y).predict(X)
    after = (
        torch.get_rng_state(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        signal.getsignal(signal.SIGINT),
    )
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_the_network_has_the_precision_of_the_rows(dtype):
    model = AtlasClassifier(**FEW).fit(X.astype(dtype), Y)
    wanted = np.float32 if dtype is np.float32 else np.float64
    assert model.predict_proba(X).dtype == wanted


def test_a_pickle_predicts_the_same():
    model = AtlasClassifier(**FEW).fit(X, Y)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


def test_patience_stops_early_and_keeps_the_best_weights():
    model = AtlasClassifier(epochs=500, lr=0.1, patience=5, random_state=0).fit(X, Y)
    valid = [line for line in model.history_ if line["kind"] == "valid"]
    assert model.n_iter_ == len(valid) < 500
    losses = [line["loss"] for line in valid]
    best = losses.index(min(losses))
    assert best == len(valid) - 6 and valid[best]["best"]
    until = AtlasClassifier(lr=0.1, options={"steps": valid[best]["step"], "valid": 0.15}, random_state=0)
    assert np.array_equal(model.predict_proba(X), until.fit(X, Y).predict_proba(X))


def test_without_patience_every_row_is_learned_and_the_last_weights_are_kept():
    model = AtlasClassifier(epochs=4, **{"random_state": 0}).fit(X, Y)
    assert [line["kind"] for line in model.history_] == ["train"] * 4
    assert [line["epoch"] for line in model.history_] == [1, 2, 3, 4]


def test_images_are_folded_and_resized():
    pixels, digits = load_digits(return_X_y=True)
    pixels, digits = pixels[:900].astype(np.float32), digits[:900]
    model = AtlasClassifier("lenet5", input_shape=(1, 8, 8), epochs=20, random_state=0)
    model.fit(pixels[:700], digits[:700])
    assert model.score(pixels[700:], digits[700:]) > 0.9
    assert model.network_.body[-4].in_features == 256  # 28 x 28 inputs


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"network": "mpl"}, "did you mean mlp"),
        ({"network": "vae"}, "predicts no targets"),
        ({"network": "lenet5"}, "give input_shape"),
        ({"network": "linear_regression"}, "use softmax_regression or mlp"),
        ({"network": nn.Linear(4, 3)}, "not a module already made"),
        ({"optimizer": "mlp"}, "not an optimizer"),
        ({"epochs": 0}, "epochs=0"),
        ({"input_shape": (2, 2)}, "product is 4"),
        ({"lr": 1e300}, "not finite"),
    ],
)
def test_errors_are_value_errors_that_name_the_cure(parameters, message):
    with pytest.raises(ValueError, match=message) as caught:
        AtlasClassifier(**parameters).fit(X, Y)
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value.__cause__, NotFinite) == ("lr" in parameters)


def test_an_interruption_is_one(monkeypatch):
    def stop(*_):
        raise Interrupted("stopped by SIGINT after step 3")

    monkeypatch.setattr(base, "train_learner", stop)
    with pytest.raises(KeyboardInterrupt, match="step 3"):
        AtlasRegressor().fit(X, Y)


def test_an_unfitted_one_has_no_network():
    with pytest.raises(NotFittedError):
        _ = AtlasClassifier().network_
