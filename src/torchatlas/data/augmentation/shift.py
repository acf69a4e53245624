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
        count, _, height, width = x.shape
        if min(height, width) <= self.pixels:
            raise UsageError(f"images of {height}x{width} cannot be moved by {self.pixels} pixels")
        padded = F.pad(x, (self.pixels,) * 4, mode="reflect")
        moves = torch.randint(2 * self.pixels + 1, (2, count, 1), device=x.device)
        rows = moves[0] + torch.arange(height, device=x.device)  # (b, h)
        columns = moves[1] + torch.arange(width, device=x.device)  # (b, w)
        image = torch.arange(count, device=x.device)[:, None, None]
        moved = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
        return moved.permute(0, 3, 1, 2).contiguous()


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
