"""LARS: momentum, with a step for each tensor as long as its weights ask."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites


@method(
    "lars",
    year=2017,
    paper="arXiv:1708.03888",
    topics=("large-batch",),
    recipe={"lr": 1.0},
    tiny={"trust": 0.05},
)
class LARS(AbstractForeach):
    r"""LARS: momentum whose rate is scaled for each layer, by $\eta \|w\| / (\|g\| + \beta \|w\|)$.

    $v \leftarrow \mu v + \gamma \lambda (g + \beta w)$, $w \leftarrow w - v$, where $\lambda$ is that ratio
    of a tensor's norms ($\eta$ is `trust`), or 1 where either norm is 0; $\beta$ is `weight_decay`. The rate
    $\gamma$ stands inside the momentum, so that a schedule does not touch the steps already taken up. Without
    decay each tensor first moves by the share $\gamma \eta$ of its own length, however large its gradient.
    With `skip_vectors`, biases and the factors of normalizations (tensors of one axis at most) take steps of
    plain momentum at the rate $\gamma$, without decay, as is usual in networks with batch normalization.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
        skip_vectors: bool = False,
    ):
        at_least_zero(lr=lr, weight_decay=weight_decay, trust=trust)
        below_one(momentum=momentum)
        options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust}
        super().__init__(params, {**options, "skip_vectors": skip_vectors})

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        moved = self.kept("momentum", weights)
        layers = [not group["skip_vectors"] or weight.ndim > 1 for weight in weights]
        plain: list[tuple[Tensor, ...]] = []
        scaled: list[tuple[Tensor, ...]] = []
        for row, is_layer in zip(zip(weights, grads, moved, strict=True), layers, strict=True):
            (scaled if is_layer else plain).append(row)
        if scaled:
            w, g, v = map(list, zip(*scaled, strict=True))
            self._along(w, g, v, self._rates(w, g, group), group["momentum"], group["weight_decay"])
        if plain:
            w, g, v = map(list, zip(*plain, strict=True))
            rates = list(w[0].new_full((len(w),), group["lr"]).unbind())
            self._along(w, g, v, rates, group["momentum"], 0.0)

    @staticmethod
    def _rates(weights: Tensors, grads: Tensors, group: dict[str, Any]) -> Tensors:
        """γλ of each tensor."""
        decay = group["weight_decay"]
        long, wide = (torch.stack(torch._foreach_norm(tensors)) for tensors in (weights, grads))
        ratios = group["trust"] * long / (wide + decay * long)
        rates = group["lr"] * torch.where((long > 0) & (wide > 0), ratios, 1.0)
        return list(rates.unbind())

    @staticmethod
    def _along(
        weights: Tensors, grads: Tensors, moved: Tensors, rates: Tensors, momentum: float, decay: float
    ) -> None:
        for w, g, v, rate in bites(weights, grads, moved, rates):
            torch._foreach_mul_(v, momentum)
            torch._foreach_addcmul_(v, g, rate)
            if decay:
                torch._foreach_addcmul_(v, w, rate, value=decay)
            torch._foreach_sub_(w, v)
