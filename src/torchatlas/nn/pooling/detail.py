"""Detail-preserving pooling: what stands out of its window counts more."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..normalization.batch import wide
from .windows import Size, windows

FORMS = ("symmetric", "asymmetric")
EPSILON = 1e-3  # rounds the corner of the absolute value


@method("dpp", year=2018, paper="arXiv:1804.04076", tiny={"channels": 4})
class DetailPreservingPool2d(nn.Module):
    r"""Detail-preserving pooling: the mean of each window, where what is far from the mean counts more.

    $\sum w I / \sum w$ with $w = \alpha + (\sqrt{x^2 + \epsilon^2})^λ$, where x is the distance
    from the window's plain mean (the lite form) and ε = 0.001. α and λ are learned per channel, above zero as
    exponentials of parameters, and start at 1. form: "symmetric", or "asymmetric", where only what lies above
    the mean stands out. λ = 0 is average pooling, and so is a large α.
    Shapes: (batch, channels, height, width) -> (batch, channels, height', width').
    Raises UsageError for other forms.
    """

    def __init__(
        self, channels: int, kernel_size: Size = 2, stride: Size | None = None, form: str = "symmetric"
    ):
        super().__init__()
        if form not in FORMS:
            raise UsageError(f"detail is kept in the forms {' and '.join(FORMS)}, not {form!r}")
        self.kernel_size, self.stride, self.form = kernel_size, stride, form
        self.log_alpha = nn.Parameter(torch.zeros(channels))
        self.log_lambda = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        numbers = windows(wide(x), self.kernel_size, self.stride)  # (b, c, h', w', k)
        detail = numbers - numbers.mean(-1, keepdim=True)
        if self.form == "asymmetric":
            detail = detail.relu()
        alpha, power = (wide(p).exp().view(-1, 1, 1, 1) for p in (self.log_alpha, self.log_lambda))
        weights = alpha + (detail.square() + EPSILON**2) ** (power / 2)
        return ((weights * numbers).sum(-1) / weights.sum(-1)).to(x.dtype)
