"""GLD: the best of a few random steps of halving length."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.randomness import generator
from ..foreach import at_least_zero, joint_norm
from ..wrapper import needed, value_of
from .directions import directions, steps_of, weights_of


@method(
    "gradientless_descent",
    year=2019,
    paper="arXiv:1911.06317",
    aliases=("gld", "gld_search"),
    recipe={"lr": 1.0},
    tiny={"halvings": 4},
    variants={"gld_fast": {"condition": 10.0}},
)
class GradientlessDescent(Optimizer):
    r"""Gradientless descent: to the best of $x$ and a few $x + v_k$ around it, of halving length.

    $v_k$ is drawn in the ball of radius $2^{-k} R$ over all weights together.
    GLD-Search tries $k = 0, ..., K$ with $K$ = `halvings`; $R$ is the rate, so that a schedule may narrow it.
    Only comparisons of losses count, so that any rising function of the loss gives the same path, and the
    loss on a batch never rises. GLD-Fast knows a bound $Q$ of the `condition` number: it tries
    $k = -K, ..., K$ with $K = \log_2 (4 \sqrt{Q})$ rounded up, and halves $R$ after every
    $n Q \log_2 Q$ steps of $n$ weights (at least $n$). Draws are a function of `seed` and the step's number.
    The closure is called 1 + K + 1 times (1 + 2 K + 1); one under `torch.no_grad` does.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        halvings: int = 10,
        condition: float | None = None,
        seed: int = 0,
    ):
        at_least_zero(lr=lr, halvings=halvings)
        if condition is not None and not condition >= 1:
            raise UsageError(f"condition must be at least 1, not {condition}")
        super().__init__(params, {"lr": lr, "halvings": halvings, "condition": condition})
        self.seed = seed
        weights_of(self)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the loss before it. Raises UsageError without a closure."""
        closure, count = needed(closure, type(self).__name__), steps_of(self)
        weights = weights_of(self)
        first = value_of(closure)
        kept, best, lowest = [w.clone() for w in weights], [w.clone() for w in weights], first
        powers, shrunk = self._powers(sum(w.numel() for w in weights), count["step"])
        radii = [float(group["lr"]) for group in self.param_groups for w in group["params"] if w.numel()]
        try:
            for power in powers:
                step = self._in_ball(weights, count["step"], power)
                torch._foreach_mul_(step, [radius * 2.0 ** -(power + shrunk) for radius in radii])
                torch._foreach_copy_(weights, kept)
                torch._foreach_add_(weights, step)
                value = value_of(closure)
                better = value < lowest  # never, where it is not a number
                lowest = torch.where(better, value, lowest)
                for b, w in zip(best, weights, strict=True):
                    torch.where(better.to(w.device), w, b, out=b)
        except BaseException:
            torch._foreach_copy_(weights, kept)
            raise
        torch._foreach_copy_(weights, best)
        count["step"] += 1
        return first

    def _powers(self, count: int, step: int) -> tuple[range, int]:
        """The k of the radii that are tried, and how often R was halved."""
        group = self.param_groups[0]
        if group["condition"] is None:
            return range(group["halvings"] + 1), 0
        reach = math.ceil(math.log2(4 * math.sqrt(group["condition"])))
        period = max(count, math.ceil(count * group["condition"] * math.log2(group["condition"])))
        return range(-reach, reach + 1), step // period

    def _in_ball(self, weights: list[Tensor], step: int, power: int) -> list[Tensor]:
        """A point of the unit ball over all weights together, as likely anywhere."""
        drawn = directions(weights, self.seed, step, power, "GradientlessDescent")
        count = sum(weight.numel() for weight in weights)
        share = torch.rand((), generator=generator(self.seed, step, power, "radius")).item() ** (1 / count)
        scale = share / joint_norm(drawn)
        for direction in drawn:
            direction.mul_(scale.to(direction.device))
        return drawn
