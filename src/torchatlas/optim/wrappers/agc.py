"""Adaptive gradient clipping: no unit's gradient is longer than a share of its weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ...cards.card import method
from ...engine.gradient import calls_often
from ..foreach import alike, at_least_zero
from ..wrapper import AbstractWrapper, Base


@method(
    "agc",
    year=2021,
    paper="arXiv:2102.06171",
    aliases=("adaptive_gradient_clipping",),
    topics=("clipping",),
)
class AGC(AbstractWrapper):
    r"""AGC (adaptive gradient clipping): each unit's gradient at most a share of its weights long.

    $g_i \leftarrow \lambda \frac{\max(\|w_i\|, \epsilon)}{\|g_i\|} g_i$ where $\|g_i\|$ is longer than
    $\lambda \max(\|w_i\|, \epsilon)$; the base takes its step by the result. A unit is what leads to one
    output: a row of a matrix, a kernel of a convolution; a vector, such as of biases, is one unit. λ is
    `clipping`, which a group of parameters may have of its own: the paper leaves out the classifier, by
    `{"params": head, "clipping": inf}`. The gradients themselves stay as they are.
    """

    def __init__(
        self,
        params: ParamsT,
        base: Base = "nag",
        lr: float | None = None,
        clipping: float = 0.01,
        eps: float = 1e-3,
    ):
        at_least_zero(clipping=clipping, eps=eps)
        super().__init__(params, base, lr)
        self.clipping, self.eps = clipping, eps
        self.calls_once = not calls_often(self.base)  # as the base does, so that nobody keeps the weights

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of the base by clipped gradients; the loss of the closure."""
        seen: dict[Tensor, Tensor | None] = {}

        def clipped() -> Any:
            with torch.enable_grad():
                loss = closure() if closure is not None else None
            self._clip(seen)
            return loss

        try:
            if closure is not None:
                return self.base.step(clipped)
            clipped()
            return self.base.step()
        finally:
            for weight, grad in seen.items():
                weight.grad = grad

    def _clip(self, seen: dict[Tensor, Tensor | None]) -> None:
        """Put clipped gradients in the place of those that are there, which are noted down."""
        for group in self.param_groups:
            share = group.get("clipping", self.clipping)
            for weights in alike(group["params"], type(self).__name__):
                for weight in weights:
                    seen[weight] = weight.grad
                    weight.grad = clip_by_units(weight, weight.grad, share, self.eps)


def clip_by_units(weight: Tensor, grad: Tensor | None, clipping: float, eps: float) -> Tensor | None:
    """A gradient whose units are not longer than so large a share of those of the weight."""
    if grad is None:
        return None
    longest = unit_norms(weight).clamp(min=eps) * clipping
    norms = unit_norms(grad)
    return grad * torch.where(norms > longest, longest / norms, 1.0)


def unit_norms(x: Tensor) -> Tensor:
    """The length of each unit, in a shape that broadcasts to the tensor's."""
    axes = tuple(range(1, x.ndim)) if x.squeeze().ndim > 1 else tuple(range(x.ndim))
    return torch.linalg.vector_norm(x, dim=axes, keepdim=True) if axes else x.abs()
