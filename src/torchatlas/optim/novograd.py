"""NovoGrad: momentum of gradients that were divided by the recent norm of their layer's."""

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites


@method("novograd", year=2019, paper="arXiv:1905.11286", topics=("large-batch",), recipe={"lr": 0.01})
class NovoGrad(AbstractForeach):
    r"""NovoGrad: layer-wise moments, $m \leftarrow \beta_1 m + g / (\sqrt{v} + \epsilon) + \lambda w$.

    $v \leftarrow \beta_2 v + (1 - \beta_2) \|g\|^2$ is one number for a tensor, $\|g\|^2$ at its first step;
    $w \leftarrow w - \gamma m$. Nothing is corrected for its start: the first step has the length $\gamma$ in
    each tensor, without decay. The state is half as large as Adam's.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.95, 0.98),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        at_least_zero(lr=lr, eps=eps, weight_decay=weight_decay)
        below_one(beta1=betas[0], beta2=betas[1])
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        (beta1, beta2), decay = group["betas"], group["weight_decay"]
        means, now = self.kept("mean", weights), list(torch._foreach_norm(grads))
        torch._foreach_mul_(now, now)
        for weight, square in zip(weights, now, strict=True):
            if "square" not in self.state[weight]:
                self.state[weight]["square"] = square.clone()
        squares = self.kept("square", weights, single=True)
        torch._foreach_lerp_(squares, now, 1 - beta2)  # at the first step from a number to itself
        roots = torch._foreach_sqrt(squares)
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_clamp_min_(roots, torch.finfo(roots[0].dtype).tiny)
        for w, g, m, root in bites(weights, grads, means, roots):
            torch._foreach_mul_(m, beta1)
            torch._foreach_addcdiv_(m, g, root)
            if decay:
                torch._foreach_add_(m, w, alpha=decay)
            torch._foreach_add_(w, m, alpha=-group["lr"])
