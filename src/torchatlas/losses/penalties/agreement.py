"""Penalties on predictions that differ where they should agree: under dropout, and near an input."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ...cards.card import method
from ...engine.errors import UsageError
from ..reduction import single
from .gradients import movable
from .penalty import AbstractPenalty, Loss, at_least_zero


@method("r_drop", year=2021, paper="arXiv:2106.14448", topics=("regularization", "classification"))
class RDrop(AbstractPenalty):
    r"""R-Drop: a second pass with other dropout masks must lose little too, and agree with the first.

    The whole loss becomes $L(p_1) + L(p_2) + \frac{\alpha}{2} (KL(p_1 \| p_2) + KL(p_2 \| p_1))$, this
    penalty all but its first term; $p_1$ and $p_2$ are the softmax of the two passes, KL a mean over samples.
    Without noise in the network it is L again. `alpha` is 0.6 to 5 in the paper, by task.
    Errors: `UsageError` for predictions other than (batch, classes).
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__(1.0)
        self.alpha = at_least_zero("alpha", alpha)

    def forward(self, network: nn.Module, x: Tensor, prediction: Tensor, loss: Loss) -> Tensor:
        again = network(x)
        first, second = log_probabilities(prediction, "r_drop"), log_probabilities(again, "r_drop")
        apart = (first.exp() - second.exp()) * (first - second)  # both divergences, class by class
        return loss(again) + self.alpha / 2 * apart.sum(1).mean()


@method(
    "vat",
    year=2017,
    paper="arXiv:1704.03976",
    aliases=("virtual_adversarial_training",),
    topics=("regularization", "classification"),
)
class VirtualAdversarial(AbstractPenalty):
    r"""Virtual adversarial training: predictions must not change in the direction that changes them most.

    $KL(p(x) \| p(x + \varepsilon d))$, a mean over samples, with p(x) held fixed. d has length one for each
    sample: a random one, turned `iterations` times to the gradient of $KL(p(x) \| p(x + \xi d))$ by d, which
    leads to where the divergence bends most. It needs no target. ε (`epsilon`) is a length over all of a
    sample's numbers; ξ (`xi`) is small beside it, yet in single precision not so small as to be rounded away.
    Running averages, as all buffers, do not move in these passes.
    Errors: `UsageError` for inputs of whole numbers and for predictions other than (batch, classes).
    """

    def __init__(self, epsilon: float = 1.0, xi: float = 0.1, iterations: int = 1, strength: float = 1.0):
        super().__init__(strength)
        if not (xi > 0 and iterations >= 0):
            raise UsageError(f"xi={xi} must be above 0, and iterations={iterations} at least 0")
        self.epsilon, self.xi, self.iterations = at_least_zero("epsilon", epsilon), xi, iterations

    def forward(self, network: nn.Module, x: Tensor, prediction: Tensor, loss: Loss | None = None) -> Tensor:
        log_p = log_probabilities(prediction.detach(), "vat")
        x = movable(x, "vat").detach()
        direction = row_units(torch.randn_like(x))
        for _ in range(self.iterations):
            direction = row_units(self._slope(network, x, log_p, direction))
        near = _near(network, x + self.epsilon * direction)
        return self.strength * F.kl_div(near, log_p, reduction="none", log_target=True).sum(1).mean()

    def _slope(self, network: nn.Module, x: Tensor, log_p: Tensor, direction: Tensor) -> Tensor:
        """The gradient of the divergence a short way along a direction."""
        with torch.enable_grad():
            leaf = direction.detach().requires_grad_()
            apart = F.kl_div(_near(network, x + self.xi * leaf), log_p, reduction="sum", log_target=True)
            (slope,) = torch.autograd.grad(apart, leaf)
        return slope


def log_probabilities(scores: Tensor, name: str) -> Tensor:
    """The logarithm of the softmax. Raises UsageError unless scores are (batch, classes)."""
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise UsageError(
            f"{name} compares probabilities of classes, and this network gives {tuple(scores.shape)}"
        )
    return single(scores).log_softmax(1)


def row_units(x: Tensor) -> Tensor:
    """Each sample at length one over all its numbers; zeros stay zeros."""
    flat = x.flatten(1)
    scale = flat.abs().amax(1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)  # squares may vanish
    return F.normalize(flat / scale, dim=1).view_as(x)


def _near(network: nn.Module, x: Tensor) -> Tensor:
    """What the network says of inputs nearby; copies of its buffers move in place of them."""
    copies = {name: buffer.clone() for name, buffer in network.named_buffers()}
    return log_probabilities(functional_call(network, copies, (x,)), "vat")
