"""DropBlock: whole squares of a map are dropped, as neighbours tell each other's secrets."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .rate import checked


@method(
    "dropblock", year=2018, paper="arXiv:1810.12890", topics=("regularization", "vision"), tiny={"size": 2}
)
class DropBlock(nn.Module):
    r"""DropBlock: squares of `size` pixels are zeroed in each channel while training, about a share p of all.

    Each place where a whole square fits begins one with probability
    $\gamma = \frac{p}{s^2} \frac{h w}{(h - s + 1)(w - s + 1)}$; what is left is multiplied by the number of
    all pixels over that of the kept ones, counted over the whole batch. Squares overlap, so that fewer than p
    are dropped. On maps smaller than a square it shrinks to their shorter side: one pixel is dropout, a whole
    map spatial dropout. The paper lets p rise from 0 over training; set `p` for that.
    Shapes: (batch, channels, height, width) -> the same. Evaluation: x.
    Errors: `UsageError` unless 0 <= p < 1 and size is at least 1.
    """

    def __init__(self, p: float = 0.1, size: int = 7):
        super().__init__()
        if size < 1:
            raise UsageError(f"size must be at least 1 pixel, not {size}")
        self.p, self.size = checked(p), size

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        if not self.training or self.p == 0:
            return x
        height, width = x.shape[2:]
        side = min(self.size, height, width)
        places = (height - side + 1, width - side + 1)
        gamma = self.p / side**2 * height * width / (places[0] * places[1])
        corners = x.new_empty(*x.shape[:2], *places).bernoulli_(min(gamma, 1.0))
        around = F.pad(corners, (side - 1,) * 4)  # a pixel is hidden by the corners up and left of it
        kept = 1 - F.max_pool2d(around, side, stride=1)
        return x * kept * (kept.numel() / kept.float().sum().clamp_min(1)).to(x.dtype)
