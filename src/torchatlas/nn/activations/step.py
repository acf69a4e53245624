"""The step: the oldest activation, which has no gradient to learn by."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from ...cards.card import method


class _Step(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, straight_through: bool) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.straight_through = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient if ctx.straight_through else torch.zeros_like(gradient), None


@method(
    "step",
    year=1943,
    paper="McCulloch and Pitts, Bulletin of Mathematical Biophysics",
    aliases=("heaviside",),
)
class Step(nn.Module):
    r"""Step: one where the input is not negative, else zero: $1$ if $x \geq 0$, $0$ if $x < 0$.

    Its derivative is zero, so nothing below it learns. `straight_through=True` hands the gradient on as it
    comes, as if the step were the identity.
    """

    def __init__(self, straight_through: bool = False):
        super().__init__()
        self.straight_through = straight_through

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _Step.apply(x, self.straight_through)
        return y
