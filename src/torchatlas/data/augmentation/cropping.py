"""Crops: a part of each image in place of the whole."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .shift import windows


@method("random_crop", year=2012, paper="Krizhevsky et al., NeurIPS 2012", topics=("augmentation", "vision"))
class RandomCrop(nn.Module):
    """Random crop: a window as large as the image, of the image with a border of `padding` pixels.

    The border is 0, the mean of standardised images; all (2 padding + 1)² windows are as likely.
    Shapes: (batch, channels, height, width) -> the same.
    Errors: `UsageError` for a padding below 0.
    """

    def __init__(self, padding: int = 4):
        super().__init__()
        if padding < 0:
            raise UsageError(f"padding must be at least 0, not {padding}")
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        return windows(F.pad(x, (self.padding,) * 4), *x.shape[2:])


@method("random_resized_crop", year=2014, paper="arXiv:1409.4842", topics=("augmentation", "vision"))
class RandomResizedCrop(nn.Module):
    r"""Random resized crop: a window of random size and shape, stretched to the image's size.

    The window's area is a uniform share of the image's, from `area[0]` to `area[1]`; the logarithm of its
    width over its height (as shares of the image's) is uniform between those of `ratio`. A side longer than
    the image is cut to it. Its place is uniform among those inside, and not bound to whole pixels; stretching
    is bilinear. Area and ratio (1, 1) leave the image as it is.
    Shapes: (batch, channels, height, width) -> the same.
    Errors: `UsageError` unless 0 < area[0] <= area[1] <= 1 and 0 < ratio[0] <= ratio[1].
    """

    def __init__(self, area: tuple[float, float] = (0.08, 1.0), ratio: tuple[float, float] = (3 / 4, 4 / 3)):
        super().__init__()
        if not (0 < area[0] <= area[1] <= 1 and 0 < ratio[0] <= ratio[1]):
            raise UsageError(f"area={area} and ratio={ratio} must be two numbers above 0, the smaller first")
        self.area, self.ratio = area, ratio

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        size, middle = self.boxes(x)
        zero = torch.zeros_like(size[:, 0])
        maps = torch.stack([size[:, 0], zero, middle[:, 0], zero, size[:, 1], middle[:, 1]], 1).view(-1, 2, 3)
        grid = F.affine_grid(maps, [*x.shape], align_corners=False)
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)

    def boxes(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (b, c, h, w) -> (b, 2), (b, 2)
        """Each window's width and height as shares of the image's, and its middle, in -1..1 both ways."""
        draws = torch.rand(4, len(x), device=x.device, dtype=x.dtype)
        area = self.area[0] + draws[0] * (self.area[1] - self.area[0])
        low, high = (math.log(bound) for bound in self.ratio)
        stretch = ((low + draws[1] * (high - low)) / 2).exp()
        size = torch.stack([area.sqrt() * stretch, area.sqrt() / stretch], 1).clamp_max(1)
        return size, (1 - size) * (2 * draws[2:].T - 1)
