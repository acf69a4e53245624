from math import inf, sqrt

import pytest
import torch

from torchatlas import create

X = torch.randn(3, 2, 4, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 2 + 1


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (3, 2, 20)])
def test_it_is_the_papers_formula(shape):
    norm = create("frn", num_features=2, eps=0.01).double()
    gamma, beta, tau = (1.5, -0.7), (0.2, -0.3), (-0.4, 0.1)
    with torch.no_grad():
        for parameter, values in ((norm.weight, gamma), (norm.bias, beta), (norm.tau, tau)):
            parameter.copy_(torch.tensor(values))
    y = norm(X.reshape(shape)).reshape(X.shape)
    for n in range(3):
        for c in range(2):
            values = X[n, c].flatten().tolist()
            root = sqrt(sum(v * v for v in values) / len(values) + 0.01)
            expected = [max(gamma[c] * v / root + beta[c], tau[c]) for v in values]
            assert y[n, c].flatten().tolist() == pytest.approx(expected, abs=1e-6)  # 0.1 was rounded


def test_it_starts_as_rectified_numbers_of_mean_square_one():
    norm = create("frn", num_features=2).double()
    assert norm(X).min() == 0
    with torch.no_grad():
        norm.tau.fill_(-inf)
    assert torch.allclose(norm(X).square().mean((2, 3)), torch.ones(3, 2, dtype=torch.double), atol=1e-5)
    plain = create("frn", num_features=2, threshold=False).double()
    assert torch.equal(plain(X), norm(X)) and len(list(plain.parameters())) == 2
