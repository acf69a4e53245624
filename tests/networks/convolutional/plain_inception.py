"""Convolutions one after another from a network's weights alone, each told what the paper's table says."""

import torch
from torch.nn import functional as F


def shaken(net, seed=0):
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            above = name.endswith(("weight", "var"))
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if above else -0.5))
    return net.eval()


def images(*size):
    return torch.randn(2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))


class Weights:
    """Reads weights in the order of the forward pass."""

    def __init__(self, net, width=1.0, bias=False, norm=True, eps=1e-3):
        self.values = iter(net.state_dict().values())
        self.width, self.bias, self.norm, self.eps = width, bias, norm, eps

    def next(self):
        return next(self.values)

    def linear(self, x, channels, rows, columns, stride=1, valid=False, bias=False):
        """A convolution alone; its shape must be the table's."""
        kernel = self.next()
        assert kernel.shape == (channels, x.shape[1], rows, columns)
        shift = self.next() if bias else None
        padding = 0 if valid else (rows // 2, columns // 2)
        return F.conv2d(x, kernel, shift, stride, padding)

    def conv(self, x, channels, kernel=1, stride=1, valid=False):
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        x = self.linear(x, round(self.width * channels), rows, columns, stride, valid, self.bias)
        if self.norm:
            gain, shift, mean, variance = (self.next()[:, None, None] for _ in range(4))
            self.next()
            x = gain * (x - mean) / (variance + self.eps).sqrt() + shift
        return x.clamp(min=0)

    def affine(self, x):
        return x @ self.next().T + self.next()


def mean3(x, border=True):
    """The mean over 3×3; the border of zeros counts, or does not."""
    ones = torch.ones_like(x[:, :1])
    kernel = torch.ones(x.shape[1], 1, 3, 3, dtype=x.dtype)
    total = F.conv2d(x, kernel, padding=1, groups=x.shape[1])
    return total / (9 if border else F.conv2d(ones, kernel[:1], padding=1))


def max3(x):
    """The maximum of 3×3, every second pixel, without a border."""
    return x.unfold(2, 3, 2).unfold(3, 3, 2).amax((4, 5))


def join(*maps):
    return torch.cat(maps, 1)
