"""What a pair of GAN losses may ask of the game besides its two losses, and how steep a critic is."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...engine.errors import UsageError

Critic = Callable[[Tensor], Tensor]


class Pair:
    """Two losses over the critic's logits, and what else the game asks; the defaults ask for nothing.

    `critic_steps`: how many steps of the critic there are to one of the generator. `limit`: the bound of the
    critic's weights, to which they are cut after each of its steps. `width`: how many numbers the critic
    gives per sample. `relative`: only differences of logits count for the critic, whose last layer then has
    no bias. `compares`: the generator's loss is called with the real logits too, `generator(fake_logits,
    real_logits)`. `batchwise`: a loss is not the mean over samples.

    Three methods are asked for where a pair has them: `penalty(critic, real, fake)` is added to the critic's
    loss, `logits(critic, x)` reads the logits off the critic, and `updated()` is called after the critic's
    steps, to move buffers.
    """

    critic_steps: int = 1
    limit: float | None = None
    width: int = 1
    relative: bool = False
    compares: bool = False
    batchwise: bool = False


def asked(pair: object, word: str) -> Any:
    """What a pair says of itself by a word of `Pair`; a pair that says nothing asks for the default."""
    return getattr(pair, word, getattr(Pair, word))


def at_least_one(critic_steps: int) -> int:
    """The number itself. Raises UsageError where it is less than one."""
    if critic_steps < 1:
        raise UsageError(f"critic_steps must be at least 1, not {critic_steps}")
    return critic_steps


def slopes(critic: Critic, x: Tensor) -> tuple[Tensor, Tensor]:
    """The logits (b, 1), and the length (b,) of their gradient by each sample: both can be differentiated."""

    def total(x: Tensor) -> tuple[Tensor, Tensor]:
        logits = critic(x)
        return logits.sum(), logits

    gradient, logits = torch.func.grad(total, has_aux=True)(x)
    return logits, torch.linalg.vector_norm(gradient.flatten(1), dim=1)


def between(real: Tensor, fake: Tensor) -> Tensor:
    """A random point on the line from each fake to a real sample: one share per sample, evenly drawn."""
    share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    return fake + share * (real - fake)
