"""SAM: a step by the gradient at the worst point nearby."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from ...cards.card import method
from ..foreach import alike, at_least_zero, joint_norm
from ..wrapper import AbstractWrapper, Base


@method("sam", year=2020, paper="arXiv:2010.01412", topics=("sharpness",))
class SAM(AbstractWrapper):
    r"""SAM: sharpness-aware minimization, a step by the gradient at $w + \rho g / \|g\|$ instead of at $w$.

    The norm is that of the gradients of all weights together. The closure is called twice, at $w$ and there;
    then the weights are put back bit for bit, and the base takes its step. The closure must compute gradients
    anew each time; the loss is that of its first call. Batch statistics move at both points.
    """

    def __init__(
        self, params: ParamsT, base: Base = "momentum_sgd", lr: float | None = None, rho: float = 0.05
    ):
        at_least_zero(rho=rho)
        super().__init__(params, base, lr)
        self.rho = rho

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the loss at the weights. Raises UsageError without a closure."""
        closure = self.needed(closure)
        with torch.enable_grad():
            loss = closure()
        everything = [weight for group in self.param_groups for weight in group["params"]]
        lists = list(alike(everything, type(self).__name__))
        grads = [[w.grad for w in weights if w.grad is not None] for weights in lists]
        kept = [[weight.clone() for weight in weights] for weights in lists]
        if lists:
            norm = joint_norm([grad for some in grads for grad in some])
            share = torch.where(norm > 0, self.rho / norm, 0.0)
        try:
            for weights, some in zip(lists, grads, strict=True):
                torch._foreach_add_(weights, torch._foreach_mul(some, share.to(some[0])))
            with torch.enable_grad():
                closure()
        finally:
            for weights, before in zip(lists, kept, strict=True):
                torch._foreach_copy_(weights, before)
        self.base.step()
        return loss
