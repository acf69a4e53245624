"""Cutout: a square of each image is hidden."""

import torch
from torch import Tensor, nn

from ...cards.card import method


@method("cutout", year=2017, paper="arXiv:1708.04552", topics=("augmentation", "regularization", "vision"))
class Cutout(nn.Module):
    """Cutout: one square of each image becomes zero, the mean of standardised images.

    Its centre is a pixel of the image, all as likely, so that the border may clip it. `size` is its side as a
    share of the image's shorter side: a half, or the paper's 16 of 32 pixels.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, size: float = 0.5):
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        side = round(self.size * min(x.shape[2:]))
        rows, columns = (_within(len(x), length, side, x.device) for length in x.shape[2:])
        return x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def _within(count: int, length: int, side: int, device: torch.device) -> Tensor:  # -> (count, length)
    """Which places along one axis lie in each image's square."""
    first = torch.randint(length, (count, 1), device=device) - side // 2
    place = torch.arange(length, device=device)
    return (place >= first) & (place < first + side)
