"""Lookahead: slow weights that follow an optimizer's fast ones, and call them back."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from ...cards.card import method
from ...engine.errors import UsageError
from ..wrapper import AbstractWrapper, Base


@method("lookahead", year=2019, paper="arXiv:1907.08610")
class Lookahead(AbstractWrapper):
    r"""Lookahead: k steps on, one back, $\phi \leftarrow \phi + \alpha (\theta - \phi)$, $\theta = \phi$.

    The base moves the weights $\theta$; after every `k` steps of a weight its slow copy $\phi$, which begins
    where the weight does, goes the share $\alpha$ of the way, and the weight goes on from there. In between,
    the network is at the fast weights. With $\alpha = 1$ this is the base.
    """

    def __init__(
        self, params: ParamsT, base: Base = "adam", lr: float | None = None, k: int = 5, alpha: float = 0.5
    ):
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}")
        if not 0 < alpha <= 1:
            raise UsageError(f"alpha must be above 0 and at most 1, not {alpha}")
        super().__init__(params, base, lr)
        self.k, self.alpha = k, alpha

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of the base, and every k-th time one of the slow weights; the loss of the closure."""
        weights = [weight for group in self.param_groups for weight in group["params"]]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight].update(step=0, slow=weight.detach().clone())
        loss = self.base.step(closure)
        fast, slow = [], []
        for weight in weights:
            state = self.state[weight]
            state["step"] += weight.grad is not None
            if weight.grad is not None and state["step"] % self.k == 0:
                fast.append(weight)
                slow.append(state["slow"])
        if fast:
            torch._foreach_lerp_(slow, fast, self.alpha)
            torch._foreach_copy_(fast, slow)
        return loss
