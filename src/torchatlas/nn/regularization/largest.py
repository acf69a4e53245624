"""What is largest is dropped: the features that a network would lean on most."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .rate import checked

OVER = ("map", "channels")


@method("max_drop", year=2016, paper="Park and Kwak, ACCV 2016", topics=("regularization", "vision"))
class MaxDrop(nn.Module):
    """Max-Drop: the largest number is zeroed with probability p while training; nothing is scaled up.

    `over` says of what: "map" is each channel's largest pixel, "channels" each pixel's largest channel. Of
    equal ones the first goes.
    Shapes: (batch, channels, ...) with at least one dimension of places -> the same. Evaluation: x.
    Errors: `UsageError` unless 0 <= p <= 1, for another `over`, and for rows without places.
    """

    def __init__(self, p: float = 0.5, over: str = "map"):
        super().__init__()
        if over not in OVER:
            raise UsageError(f"over is {' or '.join(OVER)}, not {over!r}")
        self.p, self.over = checked(p, whole=True), over

    def forward(self, x: Tensor) -> Tensor:  # (b, c, ...) -> (b, c, ...)
        if x.ndim < 3:
            raise UsageError(f"max_drop wants (batch, channels, places ...), not {tuple(x.shape)}")
        if not self.training or self.p == 0 or x.numel() == 0:
            return x
        flat, dim = x.flatten(2), 2 if self.over == "map" else 1  # (b, c, n)
        largest = flat.argmax(dim, keepdim=True)
        hit = torch.empty_like(largest, dtype=x.dtype).bernoulli_(self.p) > 0
        dropped = torch.zeros_like(flat, dtype=torch.bool).scatter(dim, largest, hit)
        return x.masked_fill(dropped.view_as(x), 0.0)


@method("max_dropout", year=2020, paper="arXiv:2007.13723", topics=("regularization",))
class MaxDropout(nn.Module):
    r"""MaxDropout: numbers in the uppermost share p of the range are zeroed while training.

    The range is that of the whole tensor, samples and channels together: x goes where
    $x - \min x > (1 - p)(\max x - \min x)$. Nothing is drawn, and nothing scaled up. A tensor of one number
    everywhere stays as it is.
    Shapes: any -> the same. Evaluation: x.
    Errors: `UsageError` unless 0 <= p <= 1.
    """

    batch_statistics = True  # its range is that of the batch

    def __init__(self, p: float = 0.3):
        super().__init__()
        self.p = checked(p, whole=True)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0 or x.numel() == 0:
            return x
        seen = x.detach()
        low, high = seen.aminmax()
        return x.masked_fill(seen - low > (1 - self.p) * (high - low), 0.0)
