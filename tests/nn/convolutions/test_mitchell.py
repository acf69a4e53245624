import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.nn.convolutions import mitchell, mitchell_product
from windows import conv, drawn, equal


def mitchell_of(a: float, b: float) -> float:
    """Mitchell's product from its logarithms, digit by digit as the paper has it."""
    if a == 0 or b == 0:
        return 0.0
    k1, k2 = math.floor(math.log2(abs(a))), math.floor(math.log2(abs(b)))
    m1, m2 = abs(a) / 2.0**k1 - 1, abs(b) / 2.0**k2 - 1
    size = 2.0 ** (k1 + k2) * (1 + m1 + m2) if m1 + m2 < 1 else 2.0 ** (k1 + k2 + 1) * (m1 + m2)
    return math.copysign(1, a) * math.copysign(1, b) * size


def test_all_pairs_up_to_256_are_never_too_large_and_a_ninth_too_small_at_most():
    n = torch.arange(1, 257, dtype=torch.double)
    got, exact = mitchell_product(n[:, None], n), n[:, None] * n
    error = got / exact - 1
    assert float(error.max()) == 0 and float(error.min()) == pytest.approx(-1 / 9, abs=1e-15)
    powers = torch.tensor([2**k - 1 for k in range(9)])
    assert torch.equal(got[powers], exact[powers]) and torch.equal(got[:, powers], exact[:, powers])
    assert got[2, 2] == 8  # 3 × 3
    by_hand = [[mitchell_of(i, j) for j in range(1, 257)] for i in range(1, 257)]
    equal(got, np.array(by_hand))
    share = (torch.rand(1000, 1000, generator=torch.Generator().manual_seed(0)) + 1).double().unbind(0)
    a, b = torch.stack(share[:500]), torch.stack(share[500:])
    assert float((mitchell_product(a, b) / (a * b) - 1).mean()) == pytest.approx(-0.0385, abs=0.002)


def test_signs_zeros_fractions_and_shapes():
    a, b = torch.tensor([[-3.0], [0.0], [0.375]]), torch.tensor([1.5, -0.1, 0.0, 1e-30, -7e20])
    got = mitchell_product(a, b)
    assert got.tolist() == [
        [pytest.approx(mitchell_of(x, y), rel=1e-6) for y in b.tolist()] for x in a[:, 0].tolist()
    ]


def test_the_gradient_is_that_of_the_product():
    a, b = drawn(7).requires_grad_(), drawn(7, seed=1).requires_grad_()
    for_a, for_b = torch.autograd.grad(mitchell_product(a, b).sum(), (a, b))
    assert torch.equal(for_a, b) and torch.equal(for_b, a)


@pytest.mark.parametrize("tile", [1, 10**6])
@pytest.mark.parametrize("exact_gradient", [True, False])
def test_a_convolution_whose_products_are_mitchell_s(tile, exact_gradient, monkeypatch):
    monkeypatch.setattr(mitchell, "TILE", tile)
    x = drawn(2, 3, 5, 6)
    x[0, 1] = 0
    words = {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1, "exact_gradient": exact_gradient}
    layer = create("mitchell_conv", 3, 4, **words).double()

    def combine(window: np.ndarray, kernel: np.ndarray) -> float:
        return sum(mitchell_of(a, b) for a, b in zip(window.flat, kernel.flat, strict=True))

    equal(layer(x), conv(x, layer.weight, layer.bias, (1, 2), 1, combine=combine))


def test_the_layer_s_gradient_is_that_of_the_convolution():
    layer = create("mitchell_conv", 3, 4, kernel_size=3).double()
    x = drawn(2, 3, 5, 6).requires_grad_()
    y = layer(x)
    g = drawn(*y.shape, seed=1)
    got = torch.autograd.grad(y, (x, layer.weight, layer.bias), g)
    exact = torch.nn.functional.conv2d(x, layer.weight, layer.bias)
    for mine, theirs in zip(got, torch.autograd.grad(exact, (x, layer.weight, layer.bias), g)):
        equal(mine, theirs)


def test_its_own_derivatives_are_there_too():
    layer = create("mitchell_conv", 2, 3, kernel_size=2, exact_gradient=False).double()
    x = drawn(1, 2, 3, 3).requires_grad_()
    call = lambda x, w: torch.func.functional_call(layer, {"weight": w}, (x,))  # noqa: E731
    assert torch.autograd.gradcheck(call, (x, layer.weight))


def test_the_sum_is_computed_as_an_operation_of_its_own():
    parts = (drawn(2, 6, 5), drawn(2, 6, 5, seed=1), drawn(3, 6, seed=2), drawn(3, 6, seed=3))
    torch.library.opcheck(mitchell.mitchell_sums, parts)


def test_sums_stay_in_single_precision_under_autocast():
    x, layer = drawn(2, 3, 5, 5).float(), create("mitchell_conv", 3, 4, kernel_size=3, exact_gradient=False)
    with torch.autocast("cpu", torch.bfloat16):
        cast = create("mitchell_conv", 3, 4, kernel_size=3)
        cast.load_state_dict(layer.state_dict())
        got = cast(x)
    torch.testing.assert_close(got.float(), layer(x), rtol=1e-2, atol=1e-2)
