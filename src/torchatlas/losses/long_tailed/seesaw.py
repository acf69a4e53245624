"""Seesaw loss: how hard a row pushes another class down depends on how rare that is, and how wrong it is."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..reduction import checked
from .sizes import fitting, learning


@method(
    "seesaw_loss",
    year=2020,
    paper="arXiv:2008.10032",
    topics=("classification", "long-tail", "detection"),
    tiny={"num_classes": 3, "q": 0.0},
)
class SeesawLoss(nn.Module):
    r"""Seesaw loss: softmax cross entropy whose negatives weigh less for rare and more for mistaken classes.

    $-z_i + \ln \sum_j M_{ij} C_{ij} e^{z_j}$ for a row of class i, with $M_{ii} = C_{ii} = 1$. Mitigation:
    $M_{ij} = (N_j / N_i)^p$ where $N_j < N_i$, else 1. Compensation: $C_{ij} = (\sigma_j / \sigma_i)^q$ where
    $\sigma_j > \sigma_i$, else 1, $\sigma$ the softmax without gradient and $\sigma_i$ at least `eps`. N
    counts the rows of each class seen in training so far, the present batch among them, and is at least 1;
    evaluation does not move it. $p = q = 0$ is cross entropy. A detector's branch for objects against the
    background is not part of it.
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar; (batch,) for `reduction="none"`.
    """

    batch_statistics = True  # a row's loss knows the classes of the whole batch
    counts: Tensor

    def __init__(
        self, num_classes: int, p: float = 0.8, q: float = 2.0, eps: float = 0.01, reduction: str = "mean"
    ):
        super().__init__()
        if p < 0 or q < 0 or not 0 < eps <= 1:
            raise UsageError(f"p and q are at least 0 and eps is above 0, not p={p}, q={q}, eps={eps}")
        self.p, self.q, self.eps, self.reduction = p, q, eps, checked(reduction)
        self.register_buffer("counts", torch.zeros(num_classes))

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        fitting(prediction, len(self.counts), "seesaw_loss")
        if learning(self):
            self._count(target)
        shift = self._log_weights(prediction.detach(), target)
        return F.cross_entropy(prediction + shift, target, reduction=self.reduction)

    @torch.no_grad()
    def _count(self, target: Tensor) -> None:
        numbers = torch.arange(len(self.counts), device=target.device)
        self.counts.add_((target[:, None] == numbers).sum(0).to(self.counts.dtype))

    def _log_weights(self, scores: Tensor, target: Tensor) -> Tensor:  # (b, k) -> (b, k)
        r"""$\ln M_{ij} + \ln C_{ij}$, which is 0 for the row's own class."""
        sizes = self.counts.clamp_min(1).log()
        mitigation = (sizes - sizes[target][:, None]).clamp(max=0)
        log_p = scores.log_softmax(1)
        own = log_p.gather(1, target[:, None]).clamp_min(math.log(self.eps))
        compensation = (log_p - own).clamp_min(0)
        return (self.p * mitigation + self.q * compensation).to(scores.dtype)
