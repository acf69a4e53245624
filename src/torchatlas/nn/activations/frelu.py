"""FReLU: a ReLU whose threshold looks at the neighbourhood."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .pointwise import positive


@method("frelu", year=2020, paper="arXiv:2007.11824", tiny={"channels": 4})
class FReLU(nn.Module):
    r"""FReLU: the larger of a number and its neighbourhood's answer, $\max(x, T(x))$.

    T is a convolution of each channel by itself, with a window of `kernel_size`, and a batch normalisation;
    a bias between the two would be taken off again, so there is none. For (batch, channels, height, width)
    alone. Raises UsageError where the window has no middle.
    """

    def __init__(self, channels: int, kernel_size: int = 3):
        super().__init__()
        self.channels = channels
        positive(channels=channels, kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise UsageError(f"kernel_size={kernel_size} must be odd, so that a window has a middle")
        padding = kernel_size // 2
        self.window = nn.Conv2d(channels, channels, kernel_size, 1, padding, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4:
            raise UsageError(
                f"frelu looks at neighbours in maps (batch, {self.channels}, height, width); its input is "
                f"of shape {tuple(x.shape)}"
            )
        around = self.norm(self.window(x))
        return torch.where(x > around, x, around)  # keeps one bit per number, where a maximum keeps both
