"""Small moves of images: shifts by whole pixels, and mirroring."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError


@method("random_shift", year=2012, paper="Krizhevsky et al., NeurIPS 2012", topics=("augmentation", "vision"))
class RandomShift(nn.Module):
    """Each image moved by up to `pixels` whole pixels both ways; what comes in is its mirrored border.

    Every one of the (2 pixels + 1)² moves is as likely.
    Shapes: (batch, channels, height, width) -> the same.
    Errors: `UsageError` where the images are not larger than the move.
    """

    def __init__(self, pixels: int = 2):
        super().__init__()
        self.pixels = pixels

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        height, width = x.shape[2:]
        if min(height, width) <= self.pixels:
            raise UsageError(f"images of {height}x{width} cannot be moved by {self.pixels} pixels")
        return windows(F.pad(x, (self.pixels,) * 4, mode="reflect"), height, width)


@method("random_flip", year=2012, paper="Krizhevsky et al., NeurIPS 2012", topics=("augmentation", "vision"))
class RandomFlip(nn.Module):
    """Each image mirrored left to right with `probability`; not for digits and letters.

    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, probability: float = 0.5):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < self.probability
        return torch.where(mirrored, x.flip(-1), x)


def windows(x: Tensor, height: int, width: int) -> Tensor:  # (b, c, h, w) -> (b, c, height, width)
    """A window of each image at a place of its own; all places are as likely."""
    count, _, tall, wide = x.shape
    down = torch.randint(tall - height + 1, (count, 1), device=x.device)
    right = torch.randint(wide - width + 1, (count, 1), device=x.device)
    rows = down + torch.arange(height, device=x.device)  # (b, height)
    columns = right + torch.arange(width, device=x.device)  # (b, width)
    image = torch.arange(count, device=x.device)[:, None, None]
    found = x.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return found.permute(0, 3, 1, 2).contiguous()
