"""Colour jitter: brightness, contrast, saturation and hue, each by a random amount."""

import math

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError

LUMA = (0.299, 0.587, 0.114)  # how bright red, green and blue look


@method("color_jitter", year=2012, paper="Krizhevsky et al., NeurIPS 2012", topics=("augmentation", "vision"))
class ColorJitter(nn.Module):
    r"""Colour jitter for tensors of any scaling: images brighter or darker, flatter, greyer, of other hue.

    With factors f uniform in $1 \pm$ `brightness`, `contrast` and `saturation` (not below 0), in this order:
    $d + f (x - d)$ from the image's darkest number d, $m + f (x - m)$ from its mean grey m, $g + f (x - g)$
    from each pixel's grey g. The hue turns colours about the axis of greys by up to `hue` of a full
    circle both ways. Grey is 0.299 red + 0.587 green + 0.114 blue; images of other than three channels
    keep saturation and hue, and their grey is the mean of channels. Values may leave the images' own range.
    Shapes: (batch, channels, height, width) -> the same.
    Errors: `UsageError` for an amount below 0, and a hue above a half.
    """

    def __init__(
        self, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4, hue: float = 0.1
    ):
        super().__init__()
        amounts = (brightness, contrast, saturation, hue)
        if min(amounts) < 0 or hue > 0.5:
            raise UsageError(f"amounts are at least 0, and hue at most 0.5: {amounts} are not")
        self.brightness, self.contrast, self.saturation, self.hue = amounts

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        x = _from(x.amin((1, 2, 3), keepdim=True), x, self._factor(x, self.brightness))
        x = _from(grey(x).mean((1, 2, 3), keepdim=True), x, self._factor(x, self.contrast))
        if x.shape[1] != 3:
            return x
        x = _from(grey(x), x, self._factor(x, self.saturation))
        turn = 2 * math.pi * self.hue * (2 * torch.rand(len(x), device=x.device, dtype=x.dtype) - 1)
        return torch.einsum("bij,bjhw->bihw", turned(turn), x)

    def _factor(self, x: Tensor, amount: float) -> Tensor:  # -> (b, 1, 1, 1)
        drawn = 2 * torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype) - 1
        return (1 + amount * drawn).clamp_min(0)


def _from(middle: Tensor, x: Tensor, factor: Tensor) -> Tensor:
    return middle + factor * (x - middle)


def grey(x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, 1, h, w)
    """How bright each pixel looks."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    red, green, blue = x.split(1, 1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def turned(angle: Tensor) -> Tensor:  # (b,) -> (b, 3, 3)
    """The maps of colours that turn them by angles about the axis of greys."""
    cos, sin = angle.cos(), angle.sin() / math.sqrt(3)
    same, next_, last = (1 + 2 * cos) / 3, (1 - cos) / 3 - sin, (1 - cos) / 3 + sin
    rows = (same, next_, last, last, same, next_, next_, last, same)
    return torch.stack(rows, 1).view(-1, 3, 3)
