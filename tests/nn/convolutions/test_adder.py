import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.convolutions import adder
from torchatlas.nn.convolutions.windows import Window
from windows import conv, drawn, equal, numbers


def away(window: np.ndarray, kernel: np.ndarray) -> float:
    return -float(np.abs(window - kernel).sum())


@pytest.mark.parametrize(
    "words",
    [
        {"kernel_size": 3},
        {"kernel_size": (2, 3), "stride": (1, 2), "padding": 1, "bias": True},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
    ],
)
def test_outputs_are_distances(words):
    x, layer = 3 * drawn(2, 3, 6, 5), create("adder_conv", 3, 4, **words).double()
    moves = {k: words[k] for k in ("stride", "padding", "dilation") if k in words}
    equal(layer(x), conv(x, layer.weight, layer.bias, **moves, combine=away))


def test_a_window_like_the_kernel_gives_the_most_which_is_zero():
    layer = create("adder_conv", 2, 3, kernel_size=3).double()
    y = layer(layer.weight[1:2].detach())[0, :, 0, 0].tolist()
    assert y[1] == 0 and y[0] < 0 and y[2] < 0


def paper_s_gradients(x, weight, g, window):
    """Written out pixel by pixel: differences for the weights, clipped ones for the map."""
    (s, t), (p, q), (d, e) = window.stride, window.padding, window.dilation
    a, w, grad = np.pad(numbers(x), ((0, 0), (0, 0), (p, p), (q, q))), numbers(weight), numbers(g)
    for_x, for_w = np.zeros_like(a), np.zeros_like(w)
    for n, o, i, j in np.ndindex(*grad.shape):
        for c, u, v in np.ndindex(*w.shape[1:]):
            at = (n, c, i * s + u * d, j * t + v * e)
            difference = a[at] - w[o, c, u, v]
            for_w[o, c, u, v] += grad[n, o, i, j] * difference
            for_x[at] += grad[n, o, i, j] * min(1.0, max(-1.0, -difference))
    return for_x[:, :, p : p + x.shape[2], q : q + x.shape[3]], for_w


@pytest.mark.parametrize("eta", [None, 0.2, 1.5])
@pytest.mark.parametrize("tile", [1, 40, 2**18])  # one window at a time, some, all
def test_gradients_are_the_paper_s(eta, tile, monkeypatch):
    monkeypatch.setitem(adder.TILE, "cpu", tile)
    words = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}
    x, layer = (2 * drawn(3, 2, 5, 6)).requires_grad_(), create("adder_conv", 2, 4, **words, eta=eta).double()
    y = layer(x)
    g = drawn(*y.shape, seed=1)
    y.backward(g)
    for_x, for_w = paper_s_gradients(x, layer.weight, g, layer.window)
    equal(x.grad, for_x)
    scale = 1 if eta is None else eta * math.sqrt(for_w.size) / math.sqrt((for_w**2).sum())
    equal(layer.weight.grad, scale * for_w)
    if eta:
        assert float(layer.weight.grad.norm()) == pytest.approx(eta * math.sqrt(4 * 2 * 3 * 2))


def test_no_gradient_stays_none_at_a_layer_that_is_where_it_should_be():
    layer = create("adder_conv", 2, 1, kernel_size=2)
    layer(layer.weight.detach()).sum().backward()
    assert torch.equal(layer.weight.grad, torch.zeros_like(layer.weight))


def test_signs_are_the_derivatives():
    layer = create("adder_conv", 2, 3, kernel_size=3, padding=1, gradient="sign").double()
    x = drawn(2, 2, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, w: torch.func.functional_call(layer, {"weight": w}, (x,)), (x, layer.weight)
    )


def test_the_sum_is_computed_as_an_operation_of_its_own():
    window, x, w = Window.of(3), drawn(2, 2, 4, 5), drawn(3, 2, 3, 3, seed=1)
    columns, g = window.columns(x), drawn(2, 3, 6, seed=2)
    torch.library.opcheck(adder.clipped_differences, (columns, w.flatten(1), g))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch for PyTorch
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # operations of our own are not batched
def test_layers_train_under_vmap_and_compile():
    layer, x = create("adder_conv", 2, 3, kernel_size=3), drawn(4, 2, 5, 5).float()
    weights = torch.stack([layer.weight.detach(), 2 * layer.weight.detach()])

    def loss(weight, x):
        return torch.func.functional_call(layer, {"weight": weight}, (x,)).square().mean()

    apart = torch.stack([torch.func.grad(loss)(weight, x) for weight in weights])
    equal(torch.func.vmap(torch.func.grad(loss), (0, None))(weights, x), apart, 1e-5)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    compiled(x).square().mean().backward()
    equal(layer.weight.grad, apart[0], 1e-5)


def test_it_learns_and_starts_as_the_authors_do():
    torch.manual_seed(0)
    layer = create("adder_conv", 16, 32, kernel_size=3, bias=True)
    weight, bias = layer.weight.detach(), layer.bias.detach()
    assert abs(float(weight.mean())) < 0.05 and float(weight.std()) == pytest.approx(1, abs=0.05)
    assert float(bias.min()) >= 0 and float(bias.max()) <= 1


def test_half_precision_and_empty_batches():
    layer = create("adder_conv", 2, 3, kernel_size=3).bfloat16()
    x = drawn(2, 2, 5, 5).bfloat16().requires_grad_()
    layer(x).sum().backward()
    assert layer(x).dtype == x.grad.dtype == layer.weight.grad.dtype == torch.bfloat16
    assert create("adder_conv", 2, 3, kernel_size=3)(torch.zeros(0, 2, 5, 5)).shape == (0, 3, 3, 3)


def test_wrong_words():
    with pytest.raises(UsageError, match="full or sign"):
        create("adder_conv", 2, 3, kernel_size=3, gradient="half")
    with pytest.raises(UsageError, match="eta"):
        create("adder_conv", 2, 3, kernel_size=3, eta=0.0)
