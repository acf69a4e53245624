"""A fully connected layer as a convolution, and back."""

from typing import Any

import torch
from torch import nn

from ..cards.card import method
from ..engine.errors import UsageError


@method(
    "fc_conv1x1_equivalence",
    year=2013,
    paper="arXiv:1312.4400; maps: arXiv:1411.4038",
    aliases=("conv1x1_fc", "linear_fc_conv1x1"),
    topics=("cost", "vision"),
)
def linear_to_conv(layer: nn.Linear, size: tuple[int, int] = (1, 1)) -> nn.Conv2d:
    """Fully connected layer as a convolution: of a flattened map (channels, *size), one as large as it.

    With size (1, 1) it is the 1×1 convolution, the layer at each pixel. On the map it was made for it gives
    the layer's outputs as (batch, outputs, 1, 1); on a larger one those of every window. Parameters and
    multiply-adds are the same. `conv_to_linear` is the way back; both copy the weights.
    Raises UsageError where the inputs are no whole number of channels of that size.
    """
    channels, rest = divmod(layer.in_features, size[0] * size[1])
    if rest or not channels:
        raise UsageError(f"{layer.in_features} inputs are no whole number of maps of {size[0]}x{size[1]}")
    place: dict[str, Any] = {"device": layer.weight.device, "dtype": layer.weight.dtype}
    conv = nn.Conv2d(channels, layer.out_features, size, bias=layer.bias is not None, **place)
    with torch.no_grad():
        conv.weight.copy_(layer.weight.view_as(conv.weight))
        if conv.bias is not None:
            conv.bias.copy_(layer.bias)
    return conv


def conv_to_linear(conv: nn.Conv2d) -> nn.Linear:
    """The layer that does to a flattened map as large as the kernel what the convolution does to the map.

    Raises UsageError for groups and padding; strides and dilation of 1 x 1 kernels change nothing.
    """
    if conv.groups != 1 or conv.padding not in ((0, 0), "valid"):
        raise UsageError("only a convolution without groups and padding is one fully connected layer")
    place: dict[str, Any] = {"device": conv.weight.device, "dtype": conv.weight.dtype}
    inputs = conv.weight[0].numel()
    layer = nn.Linear(inputs, conv.out_channels, bias=conv.bias is not None, **place)
    with torch.no_grad():
        layer.weight.copy_(conv.weight.flatten(1))
        if conv.bias is not None:
            layer.bias.copy_(conv.bias)
    return layer
