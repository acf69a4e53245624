import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.convolutions.windows import Window, odd, pair, reset, wide
from windows import drawn, equal


def test_sizes_are_pairs():
    assert pair(3) == (3, 3) and pair((3, 5)) == (3, 5) and odd((3, 5), "it") == (3, 5)
    with pytest.raises(UsageError, match="it needs a kernel with a middle"):
        odd((3, 4), "it")


def test_columns_and_their_adjoint():
    window, x = Window.of((3, 2), (2, 1), 1, (1, 2)), drawn(2, 3, 6, 5)
    columns = window.columns(x)
    assert columns.shape == (2, 3 * 6, 3 * 5) and window.places(x.shape[-2:]) == (3, 5)
    y = drawn(*columns.shape, seed=1)
    assert float((columns * y).sum()) == pytest.approx(float((x * window.folded(y, x.shape)).sum()))


def test_the_widest_type_wins():
    half, double = torch.zeros(1, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.double)
    assert [t.dtype for t in wide(half)] == [torch.float32]
    assert [t.dtype for t in wide(half, double)] == [torch.double] * 2


def test_first_weights_are_those_of_pytorch():
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 5, 3)
    weight, bias = torch.empty(5, 3, 3, 3), torch.empty(5)
    torch.manual_seed(0)
    reset(weight, bias)
    equal(weight, conv.weight.detach(), 1e-6)
    equal(bias, conv.bias.detach(), 1e-6)
