import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.nn.pooling.covariance import LogOfMatrix

X = torch.randn(2, 4, 5, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 3 + 1


def test_it_is_the_logarithm_of_the_covariance():
    y = create("covariance_pool", eps=0.01)(X)
    assert y.shape == (2, 10)
    for sample, got in zip(X, y, strict=True):
        covariance = np.cov(sample.flatten(1).numpy(), bias=True) + 0.01 * np.eye(4)
        log = np.zeros((4, 4))
        row, column = np.triu_indices(4)
        log[row, column] = log[column, row] = got.numpy()
        values, vectors = np.linalg.eigh(log)
        assert np.allclose((vectors * np.exp(values)) @ vectors.T, covariance)


def symmetric(seed: int) -> torch.Tensor:
    a = torch.randn(4, 4, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    return a + a.mT


@pytest.mark.parametrize(
    "spectrum", [(1.0, 2.0, 3.0, 4.0), (1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1 + 1e-6, 500.0)]
)
def test_the_gradient_is_right_where_eigenvalues_are_alike_too(spectrum):
    _, frame = torch.linalg.eigh(symmetric(0))
    c, way, weight = (
        frame @ torch.diag(torch.tensor(spectrum, dtype=torch.double)) @ frame.mT,
        symmetric(1),
        symmetric(2),
    )
    x = c.clone().requires_grad_()
    (got,) = torch.autograd.grad((LogOfMatrix.apply(x, 1e-9) * weight).sum(), x)

    def value(step: float) -> float:
        values, vectors = np.linalg.eigh((c + step * way).numpy())
        return float(((vectors * np.log(values)) @ vectors.T * weight.numpy()).sum())

    assert torch.equal(got, got.mT) or torch.allclose(got, got.mT)
    assert float((got * way).sum()) == pytest.approx((value(1e-5) - value(-1e-5)) / 2e-5, rel=1e-6, abs=1e-7)


def test_a_constant_map_has_finite_gradients():
    x = torch.full((1, 3, 4, 4), 2.0, requires_grad=True)
    y = create("covariance_pool")(x)
    y.sum().backward()
    assert y[0].tolist() == pytest.approx([np.log(1e-3), 0, 0, np.log(1e-3), 0, np.log(1e-3)], abs=1e-5)
    assert x.grad.isfinite().all()
