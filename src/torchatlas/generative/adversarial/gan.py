"""Generative adversarial networks: a generator, a critic, and a pair of losses between them."""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from ...engine.learner import Batch, Learner
from ...losses.adversarial_pairs.minimax import NonSaturating
from ...networks.dense.mlp import MLP

if TYPE_CHECKING:
    from ...data.spec import Spec


class LossPair(Protocol):
    """The two losses of a game over the critic's logits."""

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor: ...

    def generator(self, fake_logits: Tensor) -> Tensor: ...


class GAN(Learner):
    """A generator and a critic in turns, with any pair of losses: the default learner of every such pair.

    `generator` maps noise (batch, code) to data of shape (batch, *shape), `critic` maps data to one logit
    (batch, 1). Each step, the critic moves first, on fresh samples; then the generator, on others.
    """

    players: ClassVar = {"critic": ("critic",), "generator": ("generator",)}
    scaling: ClassVar[str] = "symmetric"
    needs_target: ClassVar[bool] = False
    monitor: ClassVar[str] = ""

    def __init__(self, generator: nn.Module, critic: nn.Module, pair: LossPair | None = None, code: int = 64):
        super().__init__()
        self.generator, self.critic, self.code = generator, critic, code
        self.pair = NonSaturating() if pair is None else pair

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        pair: LossPair | None = None,
        code: int = 64,
        hidden: int | Sequence[int] = (256, 256),
    ) -> Self:
        """Multilayer perceptrons; images are generated in -1..1 by a tanh, tables without a bound."""
        wide = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        leaky = partial(nn.LeakyReLU, 0.2)
        bound = nn.Tanh() if spec.modality == "image" else nn.Identity()
        width = math.prod(spec.shape)
        generator = nn.Sequential(MLP(code, width, wide, leaky), nn.Unflatten(1, spec.shape), bound)
        return cls(generator, MLP(width, 1, wide[::-1], leaky), pair, code)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The player's side of the pair, on as many generated samples as the batch has real ones."""
        real = batch[0]
        fake = self.generator(torch.randn(len(real), self.code, device=real.device, dtype=real.dtype))
        if player == "generator":
            return self.pair.generator(self.critic(fake))
        return self.pair.critic(self.critic(real), self.critic(fake))

    def sample(self, count: int) -> Tensor:
        """New data from fresh noise."""
        like = next(self.generator.parameters())
        return self.generator(torch.randn(count, self.code, device=like.device, dtype=like.dtype))
