"""Efficient channel attention: a channel's weight from its neighbours alone."""

import math

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .gate import AbstractGate


def span(channels: int) -> int:
    r"""How many neighbours take part: $(\log_2 C + 1) / 2$ rounded down, and one more where even."""
    t = int((math.log2(channels) + 1) / 2)
    return t if t % 2 else t + 1


@method(
    "eca",
    year=2019,
    paper="arXiv:1910.03151",
    aliases=("eca_net",),
    topics=("vision",),
    tiny={"channels": 4, "kernel_size": 3},
)
class ECA(AbstractGate):
    r"""ECA (efficient channel attention): a channel's weight from the means of its k neighbours.

    $s = \sigma(w * \bar x)$, a convolution of k weights along the channels' means, with zeros beyond the
    first and the last and no bias. k follows from the channels unless kernel_size says it: 3 for 64, 5 for
    128 to 1024, 7 for 2048.
    Shapes: (batch, channels, height, width) -> the same. Parameters: k. Raises UsageError for an even kernel
    size.
    """

    def __init__(self, channels: int, kernel_size: int | None = None):
        super().__init__()
        k = span(channels) if kernel_size is None else kernel_size
        if k < 1 or not k % 2:
            raise UsageError(f"kernel_size={k} must be odd: a channel has as many neighbours on both sides")
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, 1, 1)."""
        means = x.mean((2, 3))[:, None]  # (b, 1, c)
        return self.conv(means).sigmoid()[:, 0, :, None, None]
