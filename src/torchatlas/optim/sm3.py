"""SM3: AdaGrad whose sums of squares are bounded through a few numbers per row and column."""

from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from ..engine.errors import UsageError
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites


@method(
    "sm3",
    year=2019,
    paper="arXiv:1901.11150",
    topics=("memory",),
    recipe={"lr": 0.1},
    variants={"sm3_i": {"form": "i"}},
)
class SM3(AbstractForeach):
    r"""SM3: AdaGrad with a sum per row and column, $\theta \leftarrow \theta - \gamma g/\sqrt{\nu}$.

    An entry's $\nu$ is an upper bound of the sum of its squared gradients. A tensor is covered by its slices
    $S_r$, one for each index of each axis (a matrix by rows and columns), and 0/0 is 0.
    Form II: $\nu_i = \min_{r \ni i} \mu_r + g_i^2$, then $\mu_r = \max_{i \in S_r} \nu_i$.
    Form I: $\mu_r \leftarrow \mu_r + \max_{i \in S_r} g_i^2$, then $\nu_i = \min_{r \ni i} \mu_r$;
    never tighter.
    On vectors both are AdaGrad. With `momentum` the step is
    $m \leftarrow \beta m + (1 - \beta) g/\sqrt{\nu}$.
    State of an r x c matrix: r + c numbers, and with momentum r c more.
    """

    def __init__(self, params: ParamsT, lr: float = 0.1, momentum: float = 0.0, form: str = "ii"):
        at_least_zero(lr=lr)
        below_one(momentum=momentum)
        if form not in ("i", "ii"):
            raise UsageError(f"form is 'i' or 'ii', not {form!r}")
        super().__init__(params, {"lr": lr, "momentum": momentum, "form": form})

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        bounded = _tight if group["form"] == "ii" else _loose
        covers = [self._cover(weight) for weight in weights]
        moved = self.kept("momentum", weights) if group["momentum"] else grads
        for w, g, cover, m in bites(weights, grads, covers, moved, whole=True):
            roots = bounded(cover, g)
            torch._foreach_sqrt_(roots)
            if group["momentum"]:
                torch._foreach_lerp_(m, torch._foreach_div(g, roots), 1 - group["momentum"])
                torch._foreach_add_(w, m, alpha=-group["lr"])
            else:
                torch._foreach_addcdiv_(w, g, roots, value=-group["lr"])

    def _cover(self, weight: Tensor) -> Tensors:
        """The accumulators, one for each axis, of the shape that broadcasts along it.

        They begin at the smallest number above 0, by which 0 can be divided.
        """
        state, axes = self.state[weight], max(1, weight.ndim)
        if "axis0" not in state:
            for axis in range(axes):
                shape = [n if k == axis else 1 for k, n in enumerate(weight.shape)]
                state[f"axis{axis}"] = weight.new_full(shape, torch.finfo(weight.dtype).tiny)
        return [state[f"axis{axis}"] for axis in range(axes)]


def _tight(covers: list[Tensors], grads: Tensors) -> Tensors:
    """Form II: the bounds from before, and this step's squares entry by entry."""
    bounds = [_smallest(cover) for cover in covers]
    torch._foreach_addcmul_(bounds, grads, grads)
    for cover, bound in zip(covers, bounds, strict=True):
        torch._foreach_copy_(cover, _maxima(bound))
    return bounds


def _loose(covers: list[Tensors], grads: Tensors) -> Tensors:
    """Form I: each slice adds its largest square, and the smallest slice bounds an entry."""
    for cover, square in zip(covers, torch._foreach_mul(grads, grads), strict=True):
        torch._foreach_add_(cover, _maxima(square))
    return [_smallest(cover) for cover in covers]


def _smallest(cover: Tensors) -> Tensor:
    """The smallest accumulator over each entry, in memory of its own.

    The last axes go first: only the last minimum is as large as the weight, and long in its inner loop.
    """
    return reduce(torch.minimum, reversed(cover)) if len(cover) > 1 else cover[0].clone()


def _maxima(values: Tensor) -> Tensors:
    """The largest value of each slice of each axis: of the first one, then of what is left of the others."""
    found, left = [], values
    for axis in range(values.ndim - 1):
        found.append(left.amax(list(range(axis + 1, values.ndim)), keepdim=True))
        left = left.amax(axis, keepdim=True)
    return [*found, left]
