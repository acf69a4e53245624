"""Layers that many networks of images are made of."""

import math

from torch import nn

from ..engine.errors import UsageError
from ..nn.choosing import Choice, chosen

Size = int | tuple[int, int]


def conv_norm(
    in_channels: int,
    channels: int,
    kernel: Size = 1,
    stride: Size = 1,
    groups: int = 1,
    *,
    activation: Choice | None = "relu",
    padding: Size | None = None,
    eps: float = 1e-5,
) -> nn.Sequential:
    """A convolution without bias, batch normalisation, and an activation if any.

    Without a padding said, odd kernels keep the map's size at stride 1.
    """
    if padding is None:
        padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
    conv = nn.Conv2d(in_channels, channels, kernel, stride, padding, groups=groups, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(channels, eps)]
    if activation is not None:
        layers.append(activated(activation, channels))
    return nn.Sequential(*layers)


def activated(activation: Choice, channels: int) -> nn.Module:
    """The activation of a fresh map that nothing else needs: ReLU writes over it."""
    return nn.ReLU(inplace=True) if activation == "relu" else chosen(activation, channels)


def mean_pool() -> nn.Sequential:
    """The mean over the map: (b, c, h, w) -> (b, c)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def divisible(width: float, divisor: int = 8) -> int:
    """The multiple of `divisor` that is nearest to a width, the next one where it is below 90 % of it."""
    near = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * width else near


def blocks_of(depth: int, layers: int = 6, others: int = 2) -> int:
    """The blocks n of each stage where depth is `layers` · n + `others`. Raises UsageError if not."""
    blocks, rest = divmod(depth - others, layers)
    if blocks < 1 or rest:
        first, second = layers + others, 2 * layers + others
        raise UsageError(f"the depth is {layers}n + {others} ({first}, {second} …), not {depth}")
    return blocks


def pooled_stem(
    in_channels: int, channels: int, kernel: int, small: bool, activation: Choice = "relu"
) -> nn.Sequential:
    """A convolution and max pooling, each of which halves the map; for small images 3×3 and no halving."""
    if small:
        return conv_norm(in_channels, channels, 3, activation=activation)
    stem = conv_norm(in_channels, channels, kernel, 2, activation=activation)
    return stem.append(nn.MaxPool2d(3, 2, 1))


def start_kaiming(*parts: nn.Module, fan: str = "out", dense: bool = False) -> None:
    """Kaiming's rule for convolutions by the fan "in" or "out" of a group, for `dense` layers too if wanted.

    Biases start at zero.
    """
    kinds = (nn.Conv2d, nn.Linear) if dense else (nn.Conv2d,)
    for module in (module for part in parts for module in part.modules()):
        if isinstance(module, kinds):
            outputs, inputs, *kernel = module.weight.shape
            across = inputs if fan == "in" else outputs // getattr(module, "groups", 1)
            nn.init.normal_(module.weight, std=math.sqrt(2 / (across * math.prod(kernel))))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
