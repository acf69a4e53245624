"""Attacks along the gradient: towards a higher loss, within a ball around the input."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ...cards.card import method
from ...engine.errors import UsageError
from ..gradients import Model, input_gradient

NORMS = ("linf", "l2")


@method("fgsm", year=2014, paper="arXiv:1412.6572", topics=("adversarial", "classification"))
def fgsm(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilon: float = 8 / 255,
    low: float = 0.0,
    high: float = 1.0,
    targeted: bool = False,
) -> Tensor:
    r"""FGSM: one step of size epsilon along the sign of the loss's gradient.

    $x' = \text{clip}(x + \epsilon \, \text{sign} \nabla_x L(f(x), y))$, with cross entropy $L$ of the logits
    $f(x)$, and clip to [low, high]; of all steps of this size it raises a linear model's loss the most.
    `targeted`: y is the class that the model shall see, and the step goes down.

    model: a batch to logits (batch, classes); a module is asked in evaluation mode. x lies in [low, high], y
    are class numbers (batch,). x' is within the ball and the range exactly, as x' - x has it.
    Raises UsageError where x lies outside the range.
    """
    ball = _Ball(x, epsilon, low, high)
    return ball.step(x.detach(), _uphill(model, x, y, targeted), epsilon)


@method(
    "pgd",
    year=2017,
    paper="arXiv:1706.06083",
    aliases=("projected_gradient_descent",),
    topics=("adversarial", "classification"),
)
def pgd(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilon: float = 8 / 255,
    low: float = 0.0,
    high: float = 1.0,
    targeted: bool = False,
    *,
    steps: int = 10,
    step: float | None = None,
    norm: str = "linf",
    random_start: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""PGD: FGSM in many small steps from a random start, each followed by a projection into the ball.

    $x_{t+1} = \Pi(x_t + \alpha \, \text{sign} \nabla_x L(f(x_t), y))$, from $x_0 = x + U(-\epsilon,
    \epsilon)$; $\Pi$ is the nearest point within epsilon of x and in [low, high]. `step` is $\alpha$:
    $\epsilon / 4$ by default (2/255 for 8/255, as published). norm "l2": the step is along the gradient at
    its length 1, the ball round. The last point is taken, whether or not an earlier one fooled the model.

    `generator` draws the start; without one, PyTorch's default generator. For the rest see `fgsm`.
    """
    if steps < 0:
        raise UsageError(f"steps must be at least 0, not {steps}")
    ball = _Ball(x, epsilon, low, high, norm)
    moved = ball.draw(generator) if random_start else x.detach()
    for _ in range(steps):
        moved = ball.step(moved, _uphill(model, moved, y, targeted), epsilon / 4 if step is None else step)
    return moved


def _uphill(model: Model, x: Tensor, y: Tensor, targeted: bool) -> Tensor:
    """The gradient of the loss; its opposite where the model shall see class y."""
    sign = -1 if targeted else 1
    return input_gradient(model, x, lambda logits: sign * cross_entropy(logits, y, reduction="none"))


class _Ball:
    """All points within epsilon of x and in [low, high]."""

    def __init__(self, x: Tensor, epsilon: float, low: float, high: float, norm: str = "linf"):
        if norm not in NORMS:
            raise UsageError(f"there is no norm {norm!r}; there are {' and '.join(NORMS)}")
        if not 0 <= epsilon < math.inf:
            raise UsageError(f"epsilon must be a number of at least 0, not {epsilon}")
        if not bool(((x >= low) & (x <= high)).all()):
            raise UsageError(
                f"x lies outside the range {low:g} to {high:g}: say its range (low, high), or attack a model "
                "that scales its inputs itself"
            )
        self.x, self.range, self.norm = x.detach(), (low, high), norm
        self.epsilon = _not_above(epsilon, x.dtype)

    def step(self, start: Tensor, gradient: Tensor, size: float) -> Tensor:
        """A step uphill from a point of the ball, and back into the ball."""
        if self.norm == "linf":
            return self.nearest(start + size * gradient.sign() - self.x)
        return self.nearest(start + size * gradient / _lengths(gradient) - self.x)

    def nearest(self, change: Tensor) -> Tensor:
        """The point of the ball nearest to x + change."""
        if self.norm == "linf":
            change = change.clamp(-self.epsilon, self.epsilon)
        else:
            room = self.epsilon * (1 - 4 * torch.finfo(change.dtype).eps)  # what rounding may add
            change = change * (room / _lengths(change)).clamp(max=1)
        return _not_beyond(self.x, change).clamp(*self.range)

    def draw(self, generator: torch.Generator | None) -> Tensor:
        """A point at random, uniform in the ball; where it leaves the range, the nearest in it."""
        x, device = self.x, self.x.device if generator is None else generator.device
        if self.norm == "linf":
            change = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=device) * 2 - 1
        else:
            change = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=device)
            radius = torch.rand(len(x), generator=generator, dtype=x.dtype, device=device)
            radius = radius ** (1 / max(1, math.prod(x.shape[1:])))
            change = change / _lengths(change) * _per_sample(radius, x)
        return self.nearest(self.epsilon * change.to(x.device))


def _not_above(number: float, dtype: torch.dtype) -> float:
    """The largest number of a type that is not above a number."""
    near = torch.tensor(number, dtype=dtype)
    return float(near if float(near) <= number else torch.nextafter(near, torch.zeros_like(near)))


def _not_beyond(x: Tensor, change: Tensor) -> Tensor:
    """x + change, rounded towards x where rounding would go further than the change."""
    moved = x + change
    further = (_wide(moved) - _wide(x)).abs() > _wide(change).abs()
    return torch.where(further, torch.nextafter(moved, x), moved)


def _lengths(values: Tensor) -> Tensor:  # (b, ...) -> (b, 1, ...)
    """The Euclidean length of each sample, never 0."""
    lengths = _wide(values).reshape(len(values), -1).norm(dim=1).to(values.dtype)
    return _per_sample(lengths.clamp_min(torch.finfo(values.dtype).tiny), values)


def _wide(values: Tensor) -> Tensor:
    return values if values.device.type == "mps" else values.double()  # MPS has no doubles


def _per_sample(numbers: Tensor, like: Tensor) -> Tensor:  # (b,) -> (b, 1, ...)
    return numbers.view(-1, *[1] * (like.ndim - 1))
