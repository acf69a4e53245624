import numpy as np
import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.estimators.inputs import Inputs

ROWS = np.random.default_rng(0).normal(3.0, 2.0, size=(50, 12))


def test_columns_get_mean_0_and_variance_1():
    x = Inputs(ROWS).encode(ROWS, torch.float64).numpy()
    assert np.allclose(x.mean(0), 0, atol=1e-12) and np.allclose(x.std(0), 1)
    assert np.allclose(x, (ROWS - ROWS.mean(0)) / ROWS.std(0))


def test_a_constant_column_becomes_zeros():
    rows = ROWS.copy()
    rows[:, 3] = 7.0
    assert (Inputs(rows).encode(rows, torch.float64)[:, 3] == 0).all()


def test_weights_count_as_repeated_rows():
    weight = np.arange(50) % 4
    weighted, repeated = Inputs(ROWS, weight.astype(float)), Inputs(ROWS.repeat(weight, axis=0))
    assert np.allclose(weighted.mean, repeated.mean) and np.allclose(weighted.scale, repeated.scale)


def test_images_are_standardised_by_channel():
    x = Inputs(ROWS, shape=(3, 2, 2)).encode(ROWS, torch.float32)
    assert x.shape == (50, 3, 2, 2) and x.dtype == torch.float32
    images = ROWS.reshape(50, 3, 2, 2)
    expected = (images - images.mean((0, 2, 3), keepdims=True)) / images.std((0, 2, 3), keepdims=True)
    assert np.allclose(x, expected, atol=1e-5)


def test_images_are_resized():
    x = Inputs(np.ones((2, 12)), shape=(3, 2, 2), size=(5, 6), standardize=False).encode(
        np.ones((2, 12)), torch.float32
    )
    assert x.shape == (2, 3, 5, 6) and torch.allclose(x, torch.ones(()))


@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 3), (1, 1, 3, 4)])
def test_a_shape_that_does_not_fit_is_refused(shape):
    with pytest.raises(UsageError, match="product is 12"):
        Inputs(ROWS, shape=shape)
