"""SM3: AdaGrad whose sums of squares are bounded through a few numbers per row and column."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from ..engine.errors import UsageError
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites

Give = Callable[[Tensors, Tensors], None]  # into the first, from the second


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
        tops = [cover[0] for cover in covers]
        moved = self.kept("momentum", weights) if group["momentum"] else grads
        highs = [torch.zeros_like(w[:1]) if w.ndim > 1 else None for w in weights]
        tight = group["form"] == "ii"
        if not tight:
            for g, top, high in bites(grads, tops, highs, by_rows=True):
                torch._foreach_add_(top, _maxima(torch._foreach_mul(g, g), high))
            _spread(highs, covers, torch._foreach_add_)
        lows = [_smallest(cover[1:], weight) for cover, weight in zip(covers, weights, strict=True)]
        for w, g, m, top, low, high in bites(weights, grads, moved, tops, lows, highs, by_rows=True):
            bounds = [t.clone() if b is None else torch.minimum(t, b) for t, b in zip(top, low, strict=True)]
            if tight:
                torch._foreach_addcmul_(bounds, g, g)
                torch._foreach_copy_(top, _maxima(bounds, high))
            torch._foreach_sqrt_(bounds)
            if group["momentum"]:
                torch._foreach_lerp_(m, torch._foreach_div(g, bounds), 1 - group["momentum"])
                torch._foreach_add_(w, m, alpha=-group["lr"])
            else:
                torch._foreach_addcdiv_(w, g, bounds, value=-group["lr"])
        if tight:
            _spread(highs, covers, torch._foreach_copy_)

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


def _smallest(others: Tensors, weight: Tensor) -> Tensor | None:
    """The smallest accumulator of the axes after the first, over one slice of it; laid out as the weight."""
    if len(others) < 2:
        return others[0] if others else None
    return torch.empty_like(weight[:1]).copy_(reduce(torch.minimum, reversed(others)))


def _maxima(values: Sequence[Tensor], highs: Sequence[Tensor | None]) -> Tensors:
    """The largest value of each slice of the first axis; `highs` rise to the largest over all of them."""
    found = []
    for value, high in zip(values, highs, strict=True):
        if high is not None:
            torch.maximum(high, value.amax(0, keepdim=True), out=high)
            value = value.amax(tuple(range(1, value.ndim)), keepdim=True)
        found.append(value)
    return found


def _spread(highs: Sequence[Tensor | None], covers: Sequence[Tensors], give: Give) -> None:
    """Give the largest value of each slice of the axes after the first to its accumulator."""
    for high, cover in zip(highs, covers, strict=True):
        if high is not None:
            largest, left = [], high
            for axis in range(1, high.ndim - 1):
                largest.append(left.amax(tuple(range(axis + 1, high.ndim)), keepdim=True))
                left = left.amax(axis, keepdim=True)
            give(cover[1:], [*largest, left])
