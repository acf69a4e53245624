"""Penalties on gradients of the loss: of its weights, and of its inputs."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .penalty import AbstractPenalty, Loss


@method(
    "gradient_penalty_params",
    year=2020,
    paper="arXiv:2009.11162",
    aliases=("explicit_gradient_regularization",),
    topics=("regularization",),
)
class GradientPenaltyParams(AbstractPenalty):
    r"""Gradient penalty on weights: $\mu \|\nabla_w L\|^2$ of the batch's loss L, towards flat places.

    Steps of size h against L follow, nearly, the flow of $L + \frac{h}{4} \|\nabla_w L\|^2$: this adds to
    what descent does anyway. μ is `strength`. It needs a second derivative of the network, which
    `torch.compile` does not give, and costs about twice a step without it.
    """

    indivisible = "its penalty is the squared gradient of the whole batch"

    def __init__(self, strength: float = 0.01):
        super().__init__(strength)

    def forward(self, network: nn.Module, x: Tensor, prediction: Tensor, loss: Loss) -> Tensor:
        with torch.enable_grad():
            scores = prediction if prediction.requires_grad else network(x)
            weights = [p for p in network.parameters() if p.requires_grad]
            found = torch.autograd.grad(
                loss(scores), weights, create_graph=True, allow_unused=True, materialize_grads=True
            )
            return self.strength * torch.stack([g.square().sum() for g in found]).sum()


@method(
    "gradient_penalty_inputs",
    year=1992,
    paper="Drucker and Le Cun, IEEE TNN 3(6)",
    aliases=("double_backpropagation",),
    topics=("regularization",),
)
class GradientPenaltyInputs(AbstractPenalty):
    r"""Gradient penalty on inputs: $\varepsilon \|\nabla_x L\|^2$ of each sample's loss, their mean.

    To the first order it is what training on $x + \varepsilon \nabla_x L$ adds: small changes of the input
    are to change little. ε is `strength`. It takes a pass of its own, and a second derivative,
    which `torch.compile` does not give.
    Errors: `UsageError` where inputs are whole numbers.
    """

    def __init__(self, strength: float = 0.1):
        super().__init__(strength)

    def forward(self, network: nn.Module, x: Tensor, prediction: Tensor, loss: Loss) -> Tensor:
        moved = movable(x, "gradient_penalty_inputs")
        with torch.enable_grad():
            leaf = moved.detach().requires_grad_()
            total = loss(network(leaf)) * len(x)  # the mean's gradient is a row's by their number
            (gradient,) = torch.autograd.grad(total, leaf, create_graph=True, materialize_grads=True)
            return self.strength * gradient.flatten(1).square().sum(1).mean()


def movable(x: Tensor, name: str) -> Tensor:
    """The inputs themselves. Raises UsageError where they are no floating numbers."""
    if not x.is_floating_point():
        raise UsageError(f"{name} moves inputs a little, and these are whole numbers ({x.dtype})")
    return x
