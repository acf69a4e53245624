from math import erf, exp, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

GATES = {
    "glu": lambda b: 1 / (1 + exp(-b)),
    "reglu": lambda b: max(b, 0),
    "geglu": lambda b: b / 2 * (1 + erf(b / sqrt(2))),
    "swiglu": lambda b: b / (1 + exp(-b)),
}


@pytest.mark.parametrize("name", GATES)
def test_it_gates_the_first_half_with_the_second(name):
    x = torch.randn(5, 6, dtype=torch.double)
    got = create(name)(x).tolist()
    for row, outputs in zip(x.tolist(), got):
        assert outputs == pytest.approx([row[i] * GATES[name](row[i + 3]) for i in range(3)], abs=1e-12)


@pytest.mark.parametrize("name", [name for name in GATES if name != "glu"])
def test_it_stands_on_any_dimension_of_even_size(name):
    x = torch.randn(2, 4, 3)
    expected = create(name)(x.movedim(1, -1)).movedim(-1, 1)
    assert torch.equal(create(name, dim=1)(x), expected)
    with pytest.raises(UsageError, match="dimension -1 of its input has 3"):
        create(name)(x)


@pytest.mark.parametrize("name", ["swiglu"])
def test_with_a_constant_value_it_is_swish(name):
    b = torch.randn(4, 3)
    assert torch.allclose(create(name)(torch.cat([torch.ones_like(b), b], 1)), torch.nn.functional.silu(b))
