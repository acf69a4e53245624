import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import between, conv, drawn, equal, numbers

X = drawn(2, 4, 6, 5)
NAMES = ["deformable_conv", "deformable_conv_v2"]


@pytest.mark.parametrize("name", NAMES)
def test_at_first_it_is_a_convolution(name):
    layer = create(name, 4, 6, kernel_size=3, stride=2, padding=1, groups=2).double()
    share = 0.5 if name == "deformable_conv_v2" else 1
    equal(layer(X), conv(X, share * layer.conv.weight, layer.conv.bias, 2, 1, 1, 2))


def shifted(layer, x, stride, padding, dilation, groups) -> torch.Tensor:
    """Tap by tap, from the offsets and masks of the layer's own convolutions."""
    a, w, b = numbers(x), numbers(layer.conv.weight), numbers(layer.conv.bias)
    offsets = conv(x, layer.offsets.weight, layer.offsets.bias, stride, padding, dilation)
    (kh, kw), y = w.shape[2:], torch.zeros(len(a), len(w), *offsets.shape[2:], dtype=torch.double)
    masks = None
    if hasattr(layer, "masks"):
        masks = conv(x, layer.masks.weight, layer.masks.bias, stride, padding, dilation)
    shared, taps = a.shape[1] // groups, kh * kw
    for n in range(len(a)):
        for o in range(len(w)):
            for i in range(offsets.shape[2]):
                for j in range(offsets.shape[3]):
                    total = float(b[o])
                    for c in range(a.shape[1]):
                        for t in range(taps):
                            k = c // shared * taps + t
                            row = i * stride - padding + t // kw * dilation + offsets[n, 2 * k, i, j]
                            column = j * stride - padding + t % kw * dilation + offsets[n, 2 * k + 1, i, j]
                            m = 1.0 if masks is None else 1 / (1 + math.exp(-masks[n, k, i, j]))
                            total += w[o, c, t // kw, t % kw] * m * between(a[n, c], row, column)
                    y[n, o, i, j] = total
    return y


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 1, 1, 2), (2, 2, 2, 1)])
def test_taps_move_to_where_the_offsets_say(name, stride, padding, dilation, groups):
    words = {"stride": stride, "padding": padding, "dilation": dilation, "offset_groups": groups}
    layer = create(name, 4, 3, kernel_size=(3, 2), **words).double()
    for k, part in enumerate([layer.offsets, *([layer.masks] if name == NAMES[1] else [])]):
        with torch.no_grad():
            part.weight.copy_(0.4 * drawn(*part.weight.shape, seed=k))
            part.bias.copy_(drawn(*part.bias.shape, seed=k + 5))
    equal(layer(X), shifted(layer, X, stride, padding, dilation, groups))


@pytest.mark.parametrize("name", NAMES)
def test_whole_offsets_shift_the_map(name):
    layer = create(name, 4, 3, kernel_size=3).double()
    with torch.no_grad():
        layer.offsets.bias.view(-1, 2).copy_(torch.tensor([1.0, -1.0]))  # one down, one to the left
        if name == NAMES[1]:
            layer.masks.bias.fill_(1e3)
    moved = torch.zeros_like(X)
    moved[:, :, :-1, 1:] = X[:, :, 1:, :-1]
    equal(layer(X), conv(moved, layer.conv.weight, layer.conv.bias))


@pytest.mark.parametrize("name", NAMES)
def test_its_gradients_of_both_orders(name):
    layer = create(name, 2, 2, kernel_size=2, offset_groups=2).double()
    for part in [layer.offsets, *([layer.masks] if name == NAMES[1] else [])]:
        with torch.no_grad():
            part.weight.copy_(0.1 * drawn(*part.weight.shape))
            part.bias.copy_(0.3 + 0.1 * drawn(*part.bias.shape))
    x = drawn(1, 2, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda *_: layer(x), (x, *layer.parameters()), fast_mode=True)
    assert torch.autograd.gradgradcheck(layer, (x,), fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
def test_far_offsets_read_zeros(name):
    layer = create(name, 4, 3, kernel_size=3).double()
    torch.nn.init.constant_(layer.offsets.bias, 1e12)
    y = layer(X)
    equal(y, layer.conv.bias[:, None, None].expand_as(y))


def test_groups_that_do_not_divide():
    with pytest.raises(UsageError, match="3 offset groups"):
        create("deformable_conv", 4, 4, kernel_size=3, offset_groups=3)
