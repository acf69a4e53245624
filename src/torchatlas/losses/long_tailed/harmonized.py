"""Gradient harmonizing: what many samples say is said once, whether they are easy or hopeless."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..reduction import checked, reduced
from .sizes import learning, normalised_sigmoid, one_hot


class AbstractHarmonized(nn.Module):
    r"""Losses times $N / \mathrm{GD}(g)$: the inverse density of gradients of about their own length.

    Lengths g from 0 to 1 are counted in `bins` M: a bin with R of all N samples has the density $R M$, so
    that lengths spread evenly weigh one each. With `momentum` $\alpha$ a running
    $S \leftarrow \alpha S + (1 - \alpha) R$ takes the place of R, in bins that are not empty. In evaluation
    mode all samples weigh one.
    """

    batch_statistics = True  # densities are those of the whole batch
    running: Tensor

    def __init__(self, bins: int = 10, momentum: float = 0.0, reduction: str = "mean"):
        super().__init__()
        if bins < 1 or not 0 <= momentum < 1:
            raise UsageError(f"bins is at least 1 and momentum from 0 to below 1, not {bins} and {momentum}")
        self.bins, self.momentum, self.reduction = bins, momentum, checked(reduction)
        self.register_buffer("running", torch.zeros(bins))

    def weighed(self, losses: Tensor, length: Tensor) -> Tensor:
        """The reduced losses, each times the weight that the length of its gradient has while learning."""
        if learning(self):
            losses = losses * self._weights(length.detach())
        return reduced(losses, self.reduction)

    @torch.no_grad()
    def _weights(self, length: Tensor) -> Tensor:  # any shape -> the same
        place = (length * self.bins).long().clamp(0, self.bins - 1).flatten()
        found = torch.zeros_like(self.running).scatter_add_(0, place, self.running.new_ones(place.shape))
        if self.momentum:
            moved = self.momentum * self.running + (1 - self.momentum) * found
            self.running.copy_(torch.where(found > 0, moved, self.running))
            found = torch.where(found > 0, moved, found)
        weights = length.numel() / (self.bins * found.clamp_min(torch.finfo(found.dtype).tiny))
        return weights[place].view(length.shape).to(length.dtype)


@method(
    "ghm_loss",
    year=2018,
    paper="arXiv:1811.05181",
    aliases=("ghm_c",),
    topics=("classification", "multilabel", "detection"),
)
class GHMLoss(AbstractHarmonized):
    r"""GHM-C, the gradient harmonizing loss: binary cross entropies by how rare their gradients are.

    The gradient of a label y is $g = |\sigma(z) - y|$ long; its cross entropy is weighed by
    $N / \mathrm{GD}(g)$, with N labels in the batch, R of them in the bin of g, and $\mathrm{GD}(g) = R M$
    for M `bins`. The paper counts every bin, as here; its code divides by the number of bins that are not
    empty. `momentum` keeps a running mean of R. In evaluation mode it is the plain binary cross entropy.
    Shapes: scores (batch, classes) and labels of the same shape, or class numbers (batch,) -> a scalar, the
    mean over labels; (batch, classes) for `reduction="none"`.
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        labels = one_hot(target, prediction)
        losses = F.binary_cross_entropy_with_logits(prediction, labels, reduction="none")
        return self.weighed(losses, (prediction.sigmoid() - labels).abs())

    probabilities = staticmethod(normalised_sigmoid)


@method(
    "ghm_regression_loss",
    year=2018,
    paper="arXiv:1811.05181",
    aliases=("ghm_r",),
    topics=("regression", "detection"),
)
class GHMRegressionLoss(AbstractHarmonized):
    r"""GHM-R, gradient harmonizing for numbers: $\sqrt{d^2 + \mu^2} - \mu$ by the density of its gradients.

    $d = \hat y - y$, and the gradient is $g = |d| / \sqrt{d^2 + \mu^2}$ long, always below 1; weights are
    those of the gradient harmonizing loss. In evaluation mode they are one.
    Shapes: two tensors of the same shape -> a scalar, the mean over numbers; that shape for
    `reduction="none"`.
    """

    def __init__(self, mu: float = 0.02, bins: int = 10, momentum: float = 0.0, reduction: str = "mean"):
        super().__init__(bins, momentum, reduction)
        if not mu > 0:
            raise UsageError(f"mu must be above 0, not {mu}")
        self.mu = mu

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        distance = prediction - target
        length = torch.hypot(distance, torch.full_like(distance, self.mu))  # no square that overflows
        return self.weighed(length - self.mu, distance.abs() / length)
