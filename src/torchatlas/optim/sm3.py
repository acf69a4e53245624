"""SM3: AdaGrad whose sums of squares are bounded through a few numbers per row and column."""

from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from ..engine.errors import UsageError
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one


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
        covers = [self._cover(weight) for weight in weights]
        squares = list(torch._foreach_mul(grads, grads))
        bounds = (_tight if group["form"] == "ii" else _loose)(covers, squares)
        roots = torch._foreach_clamp_min(bounds, torch.finfo(weights[0].dtype).tiny)  # where g is 0 too
        torch._foreach_sqrt_(roots)
        steps: Any = torch._foreach_div(grads, roots)
        if group["momentum"]:
            kept = [self._kept(weight) for weight in weights]
            torch._foreach_lerp_(kept, steps, 1 - group["momentum"])
            steps = kept
        torch._foreach_add_(weights, steps, alpha=-group["lr"])

    def _cover(self, weight: Tensor) -> Tensors:
        """The accumulators, one for each axis, of the shape that broadcasts along it."""
        state, axes = self.state[weight], max(1, weight.ndim)
        if "axis0" not in state:
            for axis in range(axes):
                shape = [n if k == axis else 1 for k, n in enumerate(weight.shape)]
                state[f"axis{axis}"] = weight.new_zeros(shape)
        return [state[f"axis{axis}"] for axis in range(axes)]

    def _kept(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        return state["momentum"]


def _tight(covers: list[Tensors], squares: Tensors) -> Tensors:
    """Form II: the bounds from before, and this step's squares entry by entry."""
    bounds = torch._foreach_add([reduce(torch.minimum, cover) for cover in covers], squares)
    for cover, bound in zip(covers, bounds, strict=True):
        for axis, accumulator in enumerate(cover):
            accumulator.copy_(_slice_maxima(bound, axis))
    return list(bounds)


def _loose(covers: list[Tensors], squares: Tensors) -> Tensors:
    """Form I: each slice adds its largest square, and the smallest slice bounds an entry."""
    for cover, square in zip(covers, squares, strict=True):
        for axis, accumulator in enumerate(cover):
            accumulator.add_(_slice_maxima(square, axis))
    return [reduce(torch.minimum, cover) for cover in covers]


def _slice_maxima(values: Tensor, axis: int) -> Tensor:
    others = [k for k in range(values.ndim) if k != axis]
    return values.amax(others, keepdim=True) if others else values
