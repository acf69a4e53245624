"""Max-pooling dropout: the maximum of the numbers that dropout leaves in a window."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ..pooling.windows import windows
from .rate import checked


@method(
    "max_pooling_dropout",
    kind="pool",
    year=2015,
    paper="arXiv:1512.00242",
    topics=("regularization", "pooling", "vision"),
)
class MaxPoolingDropout(nn.Module):
    r"""Max-pooling dropout: training takes the largest number of a window of which a share p was dropped.

    Evaluation takes its mean over all masks, "probabilistic weighted pooling": with the window's n numbers in
    ascending order, $\sum_i (1 - p) p^{n - i} a_i$. Both ask for numbers that are not negative, such as
    ReLU's outputs: what is dropped counts as 0. p = 0 is max pooling.
    Shapes: (batch, channels, height, width) -> windows of `kernel_size`, `stride` apart (by default side by
    side); pixels that fill no window are left out.
    Errors: `UsageError` unless 0 <= p < 1.
    """

    def __init__(self, kernel_size: int = 2, p: float = 0.5, stride: int | None = None):
        super().__init__()
        self.kernel_size, self.stride, self.p = kernel_size, stride or kernel_size, checked(p)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h', w')
        k, s = self.kernel_size, self.stride
        if self.training and s >= k:  # no number lies in two windows: one mask will do
            return F.max_pool2d(x * torch.empty_like(x).bernoulli_(1 - self.p), k, s)
        numbers = windows(x, k, s)  # (b, c, h', w', n)
        if self.training:
            return (numbers * torch.empty_like(numbers).bernoulli_(1 - self.p)).amax(-1)
        later = torch.arange(k * k - 1, -1, -1, dtype=x.dtype, device=x.device)  # how many are larger
        return (numbers.sort(-1).values * ((1 - self.p) * self.p**later)).sum(-1)
