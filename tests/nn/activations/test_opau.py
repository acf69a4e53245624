import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.activations.opau import BASES, orthogonal_pade, polynomials


def second_kind(x: float, c: list[float]) -> float:
    """Σ c_n U_n(x) from U_n(cos t) = sin((n + 1) t) / sin t, for |x| < 1."""
    t = np.arccos(x)
    return sum(k * np.sin((n + 1) * t) / np.sin(t) for n, k in enumerate(c))


SUMS = {
    "hermite": hermite_e.hermeval,
    "hermite_physicists": hermite.hermval,
    "legendre": legendre.legval,
    "laguerre": laguerre.lagval,
    "chebyshev": chebyshev.chebval,
    "chebyshev_second": second_kind,
}


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("x", [-0.9, -0.31, 0.0, 0.4, 0.8])
def test_polynomials_and_quotients_are_numpys(basis, x):
    single = [SUMS[basis](x, [0.0] * n + [1.0]) for n in range(6)]
    got = [f.item() for f in polynomials(basis, torch.tensor(x, dtype=torch.double), 6)]
    assert got == pytest.approx(single, abs=1e-12)
    act = create("opau", basis=basis).double()
    with torch.no_grad():
        act.c.copy_(torch.tensor([0.3, -1.2, 0.7, 0.1, -0.5, 0.2]))
        act.d.copy_(torch.tensor([-0.8, 0.4, -0.3, 0.6]))
    c, d = act.c.tolist(), act.d.tolist()
    expected = sum(a * b for a, b in zip(c, single)) / (1 + sum(abs(a * b) for a, b in zip(d, single[1:])))
    assert act(torch.tensor(x, dtype=torch.double)).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("basis", BASES)
def test_without_a_denominator_it_is_one_polynomial(basis):
    act, x = create("opau", basis=basis).double(), torch.linspace(-3, 3, 7, dtype=torch.double)
    with torch.no_grad():
        act.c.copy_(torch.eye(6)[1])
        act.d.zero_()
    first = {"hermite_physicists": 2 * x, "chebyshev_second": 2 * x, "laguerre": 1 - x}
    assert torch.allclose(act(x), first.get(basis, x))


@pytest.mark.parametrize("basis", BASES)
def test_it_starts_near_a_leaky_relu(basis):
    x = torch.linspace(-3, 3, 601, dtype=torch.double)
    error = create("opau", basis=basis).double()(x) - torch.where(x > 0, x, 0.01 * x)
    assert error.abs().max() < 0.1 and error.square().mean().sqrt() < 0.025
    assert sum(p.numel() for p in create("opau", basis=basis).parameters()) == 10


def test_another_basis_is_refused():
    with pytest.raises(UsageError, match="basis='fourier' must be one of hermite"):
        create("opau", basis="fourier")


@pytest.mark.parametrize("basis", BASES)
def test_the_gradients_are_right_by_all_that_it_learns(basis):
    x = torch.linspace(-1.7, 2.1, 5, dtype=torch.double, requires_grad=True)
    c = torch.tensor([0.3, -1.2, 0.7, 0.1, -0.5, 0.2], dtype=torch.double, requires_grad=True)
    d = torch.tensor([-0.8, 0.4, -0.3, 0.6], dtype=torch.double, requires_grad=True)

    def call(x, c, d):
        return orthogonal_pade(x, *c.unbind(), *d.unbind(), basis, 6)

    assert torch.autograd.gradcheck(call, (x, c, d)) and torch.autograd.gradgradcheck(call, (x, c, d))
