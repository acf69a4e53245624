"""Generative adversarial networks: a generator, a critic, and a pair of losses between them."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from ...engine.learner import Batch, Learner, Loss
from ...losses.adversarial_pairs.minimax import NonSaturating
from ...losses.adversarial_pairs.pair import asked
from ...networks.dense.mlp import MLP

if TYPE_CHECKING:
    from ...data.spec import Spec


class LossPair(Protocol):
    """The two losses of a game over the critic's logits; `Pair` says what else a game may ask for."""

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor: ...

    @property
    def generator(self) -> Callable[..., Tensor]:
        """Of (fake_logits), or of (fake_logits, real_logits) where the pair `compares`."""
        ...


class GAN(Learner):
    """A generator and a critic in turns, with any pair of losses: the default learner of every such pair.

    `generator` maps noise (batch, code) to data of shape (batch, *shape), `critic` maps data to one logit
    (batch, 1), or as many as the pair's `width`. Each step, the critic moves first, on fresh samples; then
    the generator, on others, in every step or in each `critic_steps`-th. What a pair may ask for besides its
    two losses (penalties, bounded weights, normalised logits) is told by `Pair`.
    """

    players: ClassVar = {"critic": ("critic",), "generator": ("generator",)}
    scaling: ClassVar[str] = "symmetric"
    needs_target: ClassVar[bool] = False
    monitor: ClassVar[str] = ""

    def __init__(self, generator: nn.Module, critic: nn.Module, pair: LossPair | None = None, code: int = 64):
        super().__init__()
        self.generator, self.critic, self.code = generator, critic, code
        self.pair: Any = NonSaturating() if pair is None else pair

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
        critic = MLP(width, asked(pair, "width"), wide[::-1], leaky)
        if asked(pair, "relative"):
            critic.head = nn.Linear(critic.head.in_features, critic.head.out_features, bias=False)
        return cls(generator, critic, pair, code)

    def turns(self, step: int) -> Sequence[str]:
        """The critic's alone, until it has had as many steps as the pair asks for."""
        return ("critic", "generator") if (step + 1) % asked(self.pair, "critic_steps") == 0 else ("critic",)

    def loss(self, player: str, batch: Batch) -> Loss:
        """The player's side of the pair, on as many generated samples as the batch has real ones."""
        real = batch[0]
        fake = self.generator(torch.randn(len(real), self.code, device=real.device, dtype=real.dtype))
        if player == "generator":
            told = (self.logits(real),) if asked(self.pair, "compares") else ()
            loss: Tensor = self.pair.generator(self.logits(fake), *told)
            return loss
        loss = self.pair.critic(self.logits(real), self.logits(fake))
        if not hasattr(self.pair, "penalty"):
            return loss
        penalty: Tensor = self.pair.penalty(self.critic, real, fake)
        return loss + penalty, {"penalty": penalty}

    def logits(self, x: Tensor) -> Tensor:
        """The critic's logits as the pair reads them."""
        read: Any = getattr(self.pair, "logits", None)
        found: Tensor = read(self.critic, x) if read else self.critic(x)
        return found

    def updated(self, player: str, step: int) -> None:
        """The critic's weights are cut to the pair's limit, if any, and the pair's own buffers move."""
        if player != "critic":
            return
        limit = asked(self.pair, "limit")
        if limit is not None:
            for parameter in self.owned("critic"):
                parameter.clamp_(-limit, limit)
        if hasattr(self.pair, "updated"):
            self.pair.updated()

    def indivisible(self) -> str:
        """Some pairs judge the samples of a batch together."""
        together = asked(self.pair, "batchwise")
        return "its losses judge all samples of a batch together" if together else super().indivisible()

    def sample(self, count: int) -> Tensor:
        """New data from fresh noise."""
        like = next(self.generator.parameters())
        return self.generator(torch.randn(count, self.code, device=like.device, dtype=like.dtype))
