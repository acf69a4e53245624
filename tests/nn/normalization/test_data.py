from math import sqrt
from statistics import fmean

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

X = torch.randn(40, 4, dtype=torch.double, generator=torch.Generator().manual_seed(1))
X = X @ torch.tensor([[2.0, 1, 0, 0], [0, 3, 1, 0], [0, 0, 0.1, 5], [1, 0, 0, 1]], dtype=torch.double) + 7
COLUMNS = X.T.tolist()


@pytest.mark.parametrize("name", ["minmax_norm"])
def test_each_feature_reaches_from_zero_to_one(name):
    got = create(name)(X.numpy()).T
    for column, out in zip(COLUMNS, got.tolist(), strict=True):
        low, high = min(column), max(column)
        assert out == pytest.approx([(v - low) / (high - low) for v in column])
    assert np.allclose(create(name)(X.numpy() * -3 + 2), 1 - got.T)  # turned round, else the same


@pytest.mark.parametrize("name", ["standardization"])
def test_each_feature_has_mean_zero_and_variance_one(name):
    for column, out in zip(COLUMNS, create(name)(X.numpy()).T.tolist(), strict=True):
        mean = fmean(column)
        root = sqrt(fmean((v - mean) ** 2 for v in column))
        assert out == pytest.approx([(v - mean) / root for v in column])


def inner(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    """Mean products of the columns of two tables of samples."""
    columns = [zip(*table, strict=True) for table in (a, b)]
    left, right = (list(column) for column in columns)
    return [[fmean(u * v for u, v in zip(p, q, strict=True)) for q in right] for p in left]


@pytest.mark.parametrize("name", ["whitening"])
@pytest.mark.parametrize("form", ["zca", "pca"])
def test_whitened_features_have_the_identity_as_covariance(name, form):
    y = create(name, form=form)(X)
    assert y.mean(0).abs().max() < 1e-12
    assert np.allclose(inner(y.tolist(), y.tolist()), np.eye(4), atol=1e-10)


@pytest.mark.parametrize("name", ["whitening"])
def test_zca_is_the_symmetric_root_and_pca_turns_to_the_widest_axis_first(name):
    centred = (X - X.mean(0)).tolist()
    root = np.array(inner(create(name)(X).tolist(), centred))  # of Σ^(-1/2) Σ = Σ^(1/2)
    assert np.allclose(root, root.T) and np.linalg.eigvalsh(root).min() > 0
    assert np.allclose(root @ root, inner(centred, centred))
    axes = np.array(inner(create(name, form="pca")(X).tolist(), centred))
    lengths = (axes**2).sum(1)
    assert np.allclose(lengths, np.sort(np.linalg.eigvalsh(np.array(inner(centred, centred))))[::-1])


@pytest.mark.parametrize("name", ["whitening"])
def test_directions_without_variance_stay_zero(name):
    flat = torch.cat([X[:, :2], X[:, :1] * 2], 1)
    for form in ("zca", "pca"):
        y = create(name, form=form)(flat)
        assert y.shape == (40, 3) and y.isfinite().all()
        eigenvalues = np.linalg.eigvalsh(np.array(inner(y.tolist(), y.tolist())))
        assert np.allclose(eigenvalues, [0, 1, 1], atol=1e-10)
        assert create(name, form=form)(X[:3]).shape == (3, 4)
        assert not create(name, form=form)(X[:1]).any()


@pytest.mark.parametrize("name", ["whitening"])
@pytest.mark.parametrize(("x", "form"), [(X[0], "zca"), (X[:0], "zca"), (X, "cholesky")])
def test_what_cannot_be_whitened_is_told(name, x, form):
    with pytest.raises(UsageError, match="zca or pca"):
        create(name, form=form)(x)
