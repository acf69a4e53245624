import numpy as np
import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.lightweight.addernet import AdderNet
from torchatlas.nn.convolutions.adder import AdderConv2d
from windows import conv, drawn, numbers


@pytest.mark.parametrize(("name", "count"), [("addernet", 272_484), ("addernet32", 466_916)])
def test_sizes_are_the_published_ones(name, count):
    with torch.device("meta"):
        net = create(name)
    assert sum(p.numel() for p in net.parameters()) == count
    adders = [m for m in net.modules() if isinstance(m, AdderConv2d)]
    products = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(adders) == (18 if name == "addernet" else 30) + 2
    assert products == [net.stem[0], net.head[0]]


def away(window: np.ndarray, kernel: np.ndarray) -> float:
    return -float(np.abs(window - kernel).sum())


def plain(net: AdderNet, x: torch.Tensor) -> np.ndarray:
    """ResNet with distances window by window, from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def norm(x: np.ndarray) -> np.ndarray:
        gain, shift, mean, variance = (numbers(next(weights)) for _ in range(4))
        next(weights)
        shape = (-1, *[1] * (x.ndim - 2))
        gain, shift, mean, variance = (v.reshape(shape) for v in (gain, shift, mean, variance))
        return gain * (x - mean) / np.sqrt(variance + 1e-5) + shift

    def adder(x: np.ndarray, stride: int) -> np.ndarray:
        weight = next(weights)
        made = conv(torch.as_tensor(x), weight, None, stride, weight.shape[2] // 2, combine=away)
        return norm(made)

    y = norm(conv(x, next(weights), None, 1, 1)).clip(0)
    for stride in (1, 2, 2):
        body = adder(adder(y, stride).clip(0), 1)
        y = (body + (y if stride == 1 else adder(y, stride))).clip(0)
    return norm(y.mean((2, 3)) @ numbers(next(weights)).T)


def test_it_is_a_residual_network_of_distances():
    net, seeded = AdderNet(3, 1, (6, 5), 8, 3).double().eval(), torch.Generator().manual_seed(0)
    for (
        name,
        value,
    ) in net.state_dict().items():  # as after training, with distances of many signs once normed
        if "running_mean" not in name and value.ndim == 1:
            value.add_(torch.rand(value.shape, generator=seeded, dtype=torch.double))
    x = drawn(2, 1, 6, 5)
    got = net(x)
    assert got.detach().std() > 0.01
    np.testing.assert_allclose(numbers(got), plain(net, x), rtol=1e-9, atol=1e-9)


def test_statistics_start_at_those_of_rectified_normal_inputs():
    torch.manual_seed(0)
    block = AdderNet(width=16).stages[0][0].body
    y = block[0](torch.randn(8, 16, 12, 12).relu())[:, :, 1:-1, 1:-1]
    mean, variance = block[1].running_mean[0].item(), block[1].running_var[0].item()
    assert y.mean().item() == pytest.approx(mean, rel=0.02)
    assert y.var().item() == pytest.approx(variance, rel=0.3)


@pytest.mark.parametrize("eta", [0.2, 0.7])
def test_each_layer_learns_at_a_rate_of_its_own(eta):
    net = AdderNet(3, 1, (8, 8), 8, 4, eta=eta)
    net(torch.randn(6, 1, 8, 8)).square().sum().backward()
    for layer in (m for m in net.modules() if isinstance(m, AdderConv2d)):
        assert layer.weight.grad.norm().item() == pytest.approx(eta * layer.weight.numel() ** 0.5, rel=1e-4)


def test_the_depth_must_fit():
    with pytest.raises(UsageError, match="18"):
        AdderNet(depth=18)
