"""Hard concrete gates: random gates that are exactly 0 or 1 most of the time, and can be learned."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError

LOW, HIGH, TEMPERATURE = -0.1, 1.1, 2 / 3  # γ, ζ and β, as in the paper


@method(
    "hard_concrete",
    year=2017,
    paper="arXiv:1712.01312",
    topics=("regularization", "compression"),
    tiny={"shape": (4, 1, 1)},
)
class HardConcrete(nn.Module):
    r"""Hard concrete gates: x z with learned random gates z in 0 to 1, many of them exactly 0.

    $z = \min(1, \max(0, s (\zeta - \gamma) + \gamma))$ with
    $s = \sigma((\ln u - \ln(1 - u) + \log\alpha) / \beta)$, u uniform, $\beta = 2/3$, $\gamma = -0.1$,
    $\zeta = 1.1$; one draw for all samples of a batch. Evaluation puts $s = \sigma(\log\alpha)$.
    `open` is the number of gates that are expected not to be 0,
    $\sum \sigma(\log\alpha - \beta \ln(-\gamma / \zeta))$: what `l0_regularization` makes small.
    shape: that of the gates, which x is broadcast against: (channels, 1, 1) for a map's channels, a weight's
    own shape where it is the parametrization of a weight. `keep` sets $\log\alpha = \ln \frac{k}{1 - k}$ at
    first.
    Errors: `UsageError` unless 0 < keep < 1.
    """

    def __init__(self, shape: int | Sequence[int], keep: float = 0.5):
        super().__init__()
        if not 0 < keep < 1:
            raise UsageError(f"keep is a share between 0 and 1, not {keep}")
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.log_alpha = nn.Parameter(torch.full(sizes, math.log(keep / (1 - keep))))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gates().to(x.dtype)

    def gates(self) -> Tensor:
        """The gates: drawn in training, else those of evaluation."""
        logit: Tensor = self.log_alpha
        if self.training:
            u = torch.rand_like(logit).clamp(torch.finfo(logit.dtype).tiny, 1 - torch.finfo(logit.dtype).eps)
            logit = (u.log() - (-u).log1p() + logit) / TEMPERATURE
        return (logit.sigmoid() * (HIGH - LOW) + LOW).clamp(0, 1)

    def open(self) -> Tensor:
        """How many gates are expected not to be 0, a scalar with a gradient."""
        return (self.log_alpha - TEMPERATURE * math.log(-LOW / HIGH)).sigmoid().sum()
