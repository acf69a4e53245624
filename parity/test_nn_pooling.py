"""Pooling beside SciPy's filters and NumPy's windows, on odd sizes."""

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage
from scipy.linalg import logm
from scipy.special import softmax
from sklearn.kernel_approximation import PolynomialCountSketch

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


def test_minimum_and_mixtures(same, x):
    a = x.numpy()
    least = ndimage.minimum_filter(a, (1, 1, 3, 3))[..., 1:-1:2, 1:-1:2]
    same(
        "min_pool",
        "scipy.ndimage.minimum_filter",
        create("min_pool", kernel_size=3, stride=2)(x),
        least,
        1e-15,
    )
    windows = sliding_window_view(a, (2, 2), (2, 3))[..., ::2, ::2, :, :]
    both = (windows.max((-1, -2)), windows.mean((-1, -2)))
    for name, theirs in (
        ("mixed_pool", both[0]),
        ("mixed_pool_learned", sum(both) / 2),
        ("mixed_pool_sum", sum(both)),
        ("mixed_pool_concat", np.concatenate(both, 1)),
    ):
        same(
            name,
            "numpy.lib.stride_tricks.sliding_window_view",
            create(name, kernel_size=2).eval()(x),
            theirs,
            1e-12,
        )


def test_weighted(same, x):
    windows = sliding_window_view(x.numpy(), (2, 3), (2, 3))[..., ::2, ::3, :, :].reshape(2, 3, 4, 2, 6)
    theirs = (softmax(windows, -1) * windows).sum(-1)
    same("soft_pool", "scipy.special.softmax", create("soft_pool", kernel_size=(2, 3))(x), theirs, 1e-12)
    positive = np.abs(windows)
    theirs = (positive**2).sum(-1) / positive.sum(-1)
    ours = create("stochastic_pool", kernel_size=(2, 3)).eval()(x.abs())
    same("stochastic_pool", "numpy.lib.stride_tricks.sliding_window_view", ours, theirs, 1e-12)


def test_second_order(same, x):
    ours, (row, column) = create("covariance_pool", eps=0.1)(x), np.triu_indices(3)
    theirs = [logm(np.cov(a.reshape(3, -1), bias=True) + 0.1 * np.eye(3))[row, column] for a in x.numpy()]
    same("covariance_pool", "scipy.linalg.logm", ours, np.stack(theirs), 1e-11)
    flat = x.flatten(2)
    sums = np.einsum("ncl,ndl->ncd", flat.numpy(), flat.numpy())
    same(
        "bilinear_pool",
        "numpy.einsum",
        create("bilinear_pool").pooled(flat, flat),
        sums.reshape(2, -1),
        1e-12,
    )
    pool = create("compact_bilinear_pool", channels=3, out_features=11).double()
    peer = PolynomialCountSketch(degree=2, n_components=11).fit(np.zeros((1, 3)))
    peer.indexHash_ = np.stack((pool.first_places.numpy(), pool.second_places.numpy()))
    peer.bitHash_ = np.stack((pool.first_signs.numpy(), pool.second_signs.numpy()))
    theirs = np.stack([peer.transform(a.reshape(3, -1).T).sum(0) for a in x.numpy()])
    name = "sklearn.kernel_approximation.PolynomialCountSketch"
    same("compact_bilinear_pool", name, pool.pooled(flat, flat), theirs, 1e-12)


def test_pyramid(same, x):
    parts = [create("spp", levels=(k,))(x) for k in (3, 1)]
    same("spp", "numpy.max", parts[1], x.numpy().max((2, 3)), 1e-15)
    square = x[..., :6]
    cells = square.numpy().reshape(2, 3, 3, 3, 3, 2).max((3, 5))
    same("spp", "numpy.max", create("spp", levels=(3,))(square), cells.reshape(2, -1), 1e-15)
