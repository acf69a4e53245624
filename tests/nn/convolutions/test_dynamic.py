import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal, numbers

X = drawn(3, 4, 5, 6)
NAMES = ["condconv", "dynet", "dynamic_conv", "odconv"]
MOVES = {"kernel_size": 3, "stride": 2, "padding": 1, "groups": 2}


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z - z.max()) / np.exp(z - z.max()).sum()


def linear(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    return numbers(layer.weight) @ x + numbers(layer.bias)


def kernel_of(name: str, layer: torch.nn.Module, means: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """One sample's kernel and bias, from the means of its channels."""
    weight, bias = numbers(layer.weight), None if layer.bias is None else numbers(layer.bias)
    if name == "odconv":
        h, tau = np.maximum(linear(layer.squeeze, means), 0), 2.0
        shares = softmax(linear(layer.to_kernels, h) / tau)
        kernel = sum(a * w for a, w in zip(shares, weight, strict=True))
        kernel = kernel * sigmoid(linear(layer.to_outputs, h) / tau)[:, None, None, None]
        kernel = kernel * sigmoid(linear(layer.to_taps, h) / tau).reshape(3, 3)
        inputs = sigmoid(linear(layer.to_inputs, h) / tau)
        for o in range(
            len(kernel)
        ):  # two groups: the first half of the outputs sees the first half of the inputs
            kernel[o] *= inputs[:2, None, None] if o < len(kernel) // 2 else inputs[2:, None, None]
        return kernel, None
    if name == "dynet":
        shares = sigmoid(linear(layer.router, means)).reshape(len(weight), -1)
    elif name == "condconv":
        shares = sigmoid(linear(layer.router, means))[:, None]
    else:
        first, last = layer.router[0], layer.router[2]
        shares = softmax(linear(last, np.maximum(linear(first, means), 0)) / 2.0)[:, None]
    kernel = sum(a[:, None, None, None] * w for a, w in zip(shares, weight, strict=True))
    return kernel, None if bias is None else sum(a * b for a, b in zip(shares, bias, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_each_sample_has_its_own_mixture(name):
    warm = {"temperature": 2.0} if name in ("dynamic_conv", "odconv") else {}
    layer = create(name, 4, 6, **MOVES, kernels=3, **warm).double().eval()
    for parameter in layer.parameters():
        parameter.data.mul_(2)
    rows = []
    for x in X.split(1):
        kernel, bias = kernel_of(name, layer, numbers(x).mean((0, 2, 3)))
        rows.append(
            conv(x, torch.as_tensor(kernel), None if bias is None else torch.as_tensor(bias), 2, 1, 1, 2)
        )
    equal(layer(X), np.concatenate(rows))


@pytest.mark.parametrize("name", ["condconv", "dynet", "dynamic_conv"])
def test_one_share_alone_is_that_kernel(name):
    layer = create(name, 4, 6, kernel_size=3, kernels=3).double().eval()
    last = layer.router if name != "dynamic_conv" else layer.router[2]
    torch.nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.fill_(-1e6)
        last.bias.view(3, -1)[1] = 1e6
    equal(layer(X), conv(X, layer.weight[1], layer.bias[1]))


@pytest.mark.parametrize("name", ["dynet"])
def test_tied_shares_are_condconv(name):
    layer, other = (
        create(name, 4, 6, kernel_size=3, kernels=3).double(),
        create("condconv", 4, 6, kernel_size=3, kernels=3),
    )
    other = other.double()
    other.load_state_dict({**layer.state_dict(), "router.weight": drawn(3, 4), "router.bias": drawn(3)})
    with torch.no_grad():
        layer.router.weight.copy_(other.router.weight.repeat_interleave(6, 0))
        layer.router.bias.copy_(other.router.bias.repeat_interleave(6, 0))
    equal(layer(X), other(X))


@pytest.mark.parametrize("name", ["odconv"])
def test_with_open_sigmoids_it_is_dynamic_convolution(name):
    layer = create(name, 4, 6, kernel_size=3, kernels=3, temperature=1.0).double().eval()
    for head in (layer.to_outputs, layer.to_inputs, layer.to_taps):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.constant_(head.bias, 1e3)
    torch.nn.init.zeros_(layer.to_kernels.weight)
    shares = softmax(numbers(layer.to_kernels.bias))
    equal(layer(X), conv(X, torch.as_tensor(sum(a * w for a, w in zip(shares, numbers(layer.weight))))))


@pytest.mark.parametrize("name", ["dynamic_conv", "odconv"])
def test_the_temperature_falls_evenly_while_training_and_goes_with_the_state(name):
    layer = create(name, 4, 6, kernel_size=3, temperature=31.0, passes=10).double()
    seen = []
    for _ in range(12):
        seen.append(float(layer.cooling.now()))
        layer(X)
    assert seen == pytest.approx([31 - 3 * k for k in range(10)] + [1, 1], abs=1e-5)
    layer.eval()(X)
    assert int(layer.cooling.done) == int(layer.state_dict()["cooling.done"]) == 12
    assert create(name, 4, 6, kernel_size=3, temperature=5.0, passes=0).cooling.now() == 5.0


@pytest.mark.parametrize("name", ["dynamic_conv"])
def test_shares_sum_to_one_and_are_equal_when_hot(name):
    layer = create(name, 4, 6, kernel_size=3, temperature=1e9).double().eval()
    equal(layer.shares(X), torch.full((3, 4), 0.25, dtype=torch.double), 1e-7)
    equal(layer(X), conv(X, layer.weight.mean(0), layer.bias.mean(0)), 1e-6)
    cold = create(name, 4, 6, kernel_size=3, temperature=1e-3, passes=0).double().eval()
    equal(cold.shares(10 * X).sum(1), torch.ones(3, dtype=torch.double))


@pytest.mark.parametrize("name", NAMES)
def test_experts_start_like_convolutions(name):
    layer = create(name, 8, 6, kernel_size=3)
    bound = 1 / math.sqrt(8 * 9)
    top = layer.weight.abs().flatten(1).max(1).values
    assert bool((top <= bound).all()) and bool((top > 0.9 * bound).all())


@pytest.mark.parametrize("name", NAMES)
def test_wrong_words(name):
    with pytest.raises(UsageError, match="groups"):
        create(name, 4, 6, kernel_size=3, groups=3)
    with pytest.raises(UsageError, match="kernel"):
        create(name, 4, 6, kernel_size=3, kernels=0)
    if name in ("dynamic_conv", "odconv"):
        with pytest.raises(UsageError, match="temperature"):
            create(name, 4, 6, kernel_size=3, temperature=0.0)
