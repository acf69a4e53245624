"""Pooling beside SciPy's filters and NumPy's windows, on odd sizes."""

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from torchatlas import create


@pytest.fixture
def x():
    return torch.randn(2, 3, 9, 7, dtype=torch.double)


def test_max_and_average(same, x):
    a = x.numpy()
    largest = ndimage.maximum_filter(a, (1, 1, 3, 3))[..., 1:-1:2, 1:-1:2]
    same(
        "max_pool",
        "scipy.ndimage.maximum_filter",
        create("max_pool", kernel_size=3, stride=2)(x),
        largest,
        1e-15,
    )
    mean = ndimage.uniform_filter(a, (1, 1, 3, 3), mode="constant")[..., ::2, ::2]
    ours = create("avg_pool", kernel_size=3, stride=2, padding=1)(x)
    same("avg_pool", "scipy.ndimage.uniform_filter", ours, mean, 1e-12)


def test_power_average(same, x):
    windows = sliding_window_view(np.abs(x.numpy()), (2, 3), (2, 3))[..., ::2, ::3, :, :]
    for p in (1, 2, 3.5):
        ours = create("lp_pool", norm_type=p, kernel_size=(2, 3))(x.abs())
        theirs = np.linalg.norm(windows.reshape(*windows.shape[:4], -1), p, axis=-1)
        same("lp_pool", "numpy.linalg.norm", ours, theirs, 1e-12)


def test_global(same, x):
    same(
        "global_avg_pool",
        "numpy.mean",
        create("global_avg_pool")(x)[..., 0, 0],
        x.numpy().mean((2, 3)),
        1e-13,
    )
    same(
        "global_max_pool", "numpy.max", create("global_max_pool")(x)[..., 0, 0], x.numpy().max((2, 3)), 1e-15
    )
