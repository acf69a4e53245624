"""Consistency: a network should say the same of two versions of a sample."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..cards.card import method
from ..engine.errors import UsageError
from .reduction import checked, reduced

DISTANCES = ("mse", "kl")


@method(
    "consistency_loss",
    year=2016,
    paper="arXiv:1606.04586",
    aliases=("consistency_regularisation",),
    topics=("semi-supervised",),
)
class ConsistencyLoss(nn.Module):
    r"""Consistency loss: how far predictions for one augmentation are from those for another, held still.

    With $p = \mathrm{softmax}(z)$ and $q = \mathrm{softmax}(z')$, which takes no gradient: `mse` is the mean
    over classes of $(p - q)^2$, `kl` is $\sum_c q_c \ln \frac{q_c}{p_c}$. It needs no labels, and is zero
    where both agree. Learners add it to a supervised loss, with a weight that rises at first.
    Shapes: two tensors of scores (batch, classes) -> a scalar; (batch,) for `reduction="none"`.
    """

    def __init__(self, distance: str = "mse", reduction: str = "mean"):
        super().__init__()
        if distance not in DISTANCES:
            raise UsageError(f"distance is {' or '.join(DISTANCES)}, not {distance!r}")
        self.distance, self.reduction = distance, checked(reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        target = target.detach()
        if self.distance == "mse":
            losses = (prediction.softmax(1) - target.softmax(1)).square().mean(1)
        else:
            log_p, log_q = prediction.log_softmax(1), target.log_softmax(1)
            losses = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(1)
        return reduced(losses, self.reduction)
