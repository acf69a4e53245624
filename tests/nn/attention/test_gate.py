import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.attention.gate import AbstractGate, between, bottleneck, divided, mean_of_map, one_of


class Third(AbstractGate):
    def gate(self, x):
        return torch.full_like(x[:, :1], 1 / 3)


def test_a_gate_multiplies_its_map():
    x = torch.randn(2, 3, 4, 5)
    assert torch.allclose(Third()(x), x / 3)
    with pytest.raises(NotImplementedError):
        AbstractGate()(x)


def test_channels_between_and_divided():
    assert (between(64, 16), between(8, 16), between(64, 32, 8)) == (4, 1, 8)
    assert divided(12, 4) == 3 and one_of("way", "a", ("a", "b")) == "a"
    for wrong in (lambda: between(4, 0), lambda: divided(5, 2), lambda: divided(4, 0)):
        with pytest.raises(UsageError):
            wrong()
    with pytest.raises(UsageError, match="say one of a, b"):
        one_of("way", "c", ("a", "b"))


def test_a_bottleneck_narrows_and_widens():
    layers = bottleneck(32, 4, bias=False, norm=True)
    assert [tuple(p.shape) for p in layers.parameters()] == [(8, 32, 1, 1), (8,), (8,), (32, 8, 1, 1)]
    assert mean_of_map(torch.ones(2, 3, 4, 5)).shape == (2, 3, 1, 1)
