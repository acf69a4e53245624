import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal, numbers, pixel


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_every_pixel_makes_its_kernel(stride, dilation):
    x = drawn(2, 6, 5, 7)
    words = {"kernel_size": 3, "stride": stride, "dilation": dilation, "group_channels": 2, "reduction": 3}
    layer = create("involution", channels=6, **words).double().eval()
    layer.norm.running_mean.copy_(drawn(2, seed=1))
    layer.norm.running_var.copy_(drawn(2, seed=2).abs() + 0.5)
    a, (w0, w1) = numbers(x), (numbers(p.weight)[:, :, 0, 0] for p in (layer.reduce, layer.span))
    mean, var = numbers(layer.norm.running_mean), numbers(layer.norm.running_var)
    y = np.zeros((2, 6, -(-5 // stride), -(-7 // stride)))
    for n, i, j in np.ndindex(2, *y.shape[2:]):
        block = a[n, :, i * stride : (i + 1) * stride, j * stride : (j + 1) * stride]
        h = np.maximum((w0 @ block.mean((1, 2)) - mean) / np.sqrt(var + 1e-5), 0)
        kernels = (w1 @ h + numbers(layer.span.bias)).reshape(3, 3, 3)
        for c in range(6):
            for u in range(3):
                for v in range(3):
                    at = (i * stride + (u - 1) * dilation, j * stride + (v - 1) * dilation)
                    y[n, c, i, j] += kernels[c // 2, u, v] * pixel(a[n, c], *at)
    equal(layer(x), y)


def test_a_constant_kernel_is_a_depthwise_convolution():
    x, layer = drawn(2, 4, 6, 5), create("involution", channels=4, kernel_size=5, group_channels=1).double()
    torch.nn.init.zeros_(layer.span.weight)
    equal(layer(x), conv(x, layer.span.bias.view(4, 1, 5, 5), None, 1, 2, 1, 4))


def test_sizes_and_wrong_words():
    layer = create("involution", channels=32)
    assert layer.kernel_size == 7 and layer.groups == 2 and layer.reduce.out_channels == 8
    assert sum(p.numel() for p in layer.parameters()) == 32 * 8 + 2 * 8 + 8 * 98 + 98
    for words in ({"channels": 20}, {"channels": 32, "kernel_size": 4}):
        with pytest.raises(UsageError):
            create("involution", **words)
