from math import sqrt

import pytest
import torch
import torch.nn.functional as F

from torchatlas import create

X = torch.randn(2, 3, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 3


def test_outputs_are_cosines():
    layer = create("cosine_norm", in_features=5, out_features=4).double()
    y = layer(X)
    assert y.shape == (2, 3, 4) and y.abs().max() <= 1
    for x, got in zip(X.flatten(0, 1).tolist(), y.flatten(0, 1).tolist(), strict=True):
        for w, cosine in zip(layer.weight.tolist(), got, strict=True):
            product = sum(a * b for a, b in zip(w, x, strict=True))
            assert cosine == pytest.approx(
                product / sqrt(sum(a * a for a in w)) / sqrt(sum(b * b for b in x))
            )
    assert torch.allclose(y, F.cosine_similarity(X[..., None, :], layer.weight, dim=-1))


def test_lengths_do_not_matter():
    layer = create("cosine_norm", in_features=5, out_features=4).double()
    y = layer(X)
    with torch.no_grad():
        layer.weight.mul_(torch.tensor([[1e-3], [2.0], [1e3], [7.0]]))
    assert torch.allclose(layer(X * 1e-4), y)


def test_zeros_give_zeros():
    x = torch.zeros(1, 5, requires_grad=True)
    y = create("cosine_norm", in_features=5, out_features=4)(x)
    y.sum().backward()
    assert not y.any() and x.grad.isfinite().all()
