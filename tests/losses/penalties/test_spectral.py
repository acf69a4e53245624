import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.losses.penalties import SpectralNormRegularization


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 5, 3), nn.Flatten(), nn.Linear(6, 4)).double()


def test_it_is_half_the_sum_of_the_squared_largest_singular_values():
    network = net()
    sizes = [np.linalg.svd(p.detach().numpy().reshape(len(p), -1), compute_uv=False)[0]
             for p in network.parameters() if p.ndim > 1]  # fmt: skip
    value = SpectralNormRegularization(0.4, iterations=300)(network)
    assert value.item() == pytest.approx(0.2 * sum(s * s for s in sizes), rel=1e-9)
    few = SpectralNormRegularization(0.4, iterations=2)(network).item()
    assert 0.5 * value.item() < few <= value.item() * (1 + 1e-12)


def test_its_gradient_is_that_of_the_singular_value():
    layer = net()[2]
    SpectralNormRegularization(1.0, iterations=300)(layer).backward()
    u, s, vt = np.linalg.svd(layer.weight.detach().numpy())
    np.testing.assert_allclose(layer.weight.grad, s[0] * np.outer(u[:, 0], vt[0]), atol=1e-8)


def test_zeros_and_small_numbers_are_sound():
    layer = nn.Linear(3, 3)
    for scale in (0.0, 1e-30):
        with torch.no_grad():
            layer.weight.fill_(scale)
        value = SpectralNormRegularization()(layer)
        value.backward()
        assert value.isfinite() and layer.weight.grad.isfinite().all()
    with pytest.raises(UsageError, match="iterations"):
        SpectralNormRegularization(iterations=0)
