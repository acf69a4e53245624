"""What attention's references share, in NumPy and float64: 1×1 convolutions, norms, shaken layers."""

import numpy as np
import torch
from torch import nn

from torchatlas import create
from windows import numbers

Array = np.ndarray


def shaken(name: str, seed: int = 0, **options) -> nn.Module:
    """A layer for evaluation with random numbers wherever it has any, so that no 0 or 1 hides a mistake."""
    layer = create(name, **options).double().eval()
    draws = torch.Generator().manual_seed(seed)
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.is_floating_point() and not (tensor.ndim == 3 and not tensor.requires_grad):
            tensor.data.copy_(0.6 * torch.randn(tensor.shape, generator=draws, dtype=torch.double))
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.abs_().add_(0.3)
    return layer


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def relu(z: Array) -> Array:
    return np.maximum(z, 0)


def softmax(z: Array, axis: int) -> Array:
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def pointwise(layer: nn.Module, x: Array) -> Array:
    """A 1×1 convolution or linear map of axis 1 of (n, c, …), position by position."""
    weight = numbers(layer.weight).reshape(layer.weight.shape[0], -1)
    y = np.stack([sum(weight[o, c] * x[:, c] for c in range(x.shape[1])) for o in range(len(weight))], 1)
    return y if layer.bias is None else y + numbers(layer.bias).reshape(-1, *[1] * (x.ndim - 2))


def batch_norm(layer: nn.BatchNorm2d, x: Array) -> Array:
    """With running statistics, along axis 1."""
    mean, var, scale, shift = (
        numbers(t).reshape(-1, *[1] * (x.ndim - 2))
        for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (x - mean) / np.sqrt(var + layer.eps) * scale + shift


def layer_norm(layer: nn.LayerNorm, x: Array) -> Array:
    """Over axis 1 of (n, c)."""
    centred = x - x.mean(1, keepdims=True)
    even = centred / np.sqrt((centred**2).mean(1, keepdims=True) + layer.eps)
    return even * numbers(layer.weight) + numbers(layer.bias)


def narrowed(layers: nn.Module, x: Array, norm: bool = False, last_norm: bool = False) -> Array:
    """One 1×1 convolution, a batch norm where there should be one, ReLU; and a second one where there is."""
    convs = [m for m in layers.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in layers.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == norm + last_norm and len(convs) <= 2
    x = pointwise(convs[0], x)
    x = relu(batch_norm(norms[0], x) if norm else x)
    for conv in convs[1:]:
        x = pointwise(conv, x)
    return batch_norm(norms[1], x) if last_norm else x


def means(x: Array) -> Array:
    """(n, c, h, w) -> (n, c, 1, 1)."""
    return x.sum((2, 3), keepdims=True) / (x.shape[2] * x.shape[3])
