"""FactorVAE: a critic beside the autoencoder tells how far the dimensions of its codes depend."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.learner import Batch
from ...networks.dense.mlp import MLP
from .bounds import Latents
from .vae import VAE

if TYPE_CHECKING:
    from ...data.spec import Spec


@method(
    "factor_vae",
    year=2018,
    paper="arXiv:1802.05983",
    aliases=("factorvae",),
    topics=("generation", "representation", "disentanglement"),
    recipe={"optimizer": "adam", "lr": 0.001, "batch_size": 64, "epochs": 50},
    tiny={"code": 3, "hidden": (16,), "critic": (16,)},
)
class FactorVAE(VAE):
    r"""FactorVAE: the VAE's negative bound plus $\gamma$ times the total correlation of its codes.

    The total correlation $\mathrm{KL}(q(z) \| \prod_j q(z_j))$ is the mean logit of a critic that tells codes
    from codes whose dimensions were shuffled across the batch, each by itself. The critic's loss is half the
    cross entropy of either kind; it sees codes of one half of the batch, and shuffled codes of the other.
    Each step, the autoencoder moves first, then the critic. Scores are the VAE's bound, without the penalty,
    and the critic's estimate.
    """

    players: ClassVar = {"model": ("encoder", "decoder"), "critic": ("critic",)}

    def __init__(self, *parts: Any, critic: nn.Module, gamma: float = 10.0, **more: Any):
        super().__init__(*parts, **more)
        self.critic, self.gamma = critic, gamma

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        code: int = 10,
        hidden: int | Sequence[int] = (256,),
        likelihood: str = "",
        sigma: float = 0.5,
        gamma: float = 10.0,
        critic: int | Sequence[int] = (256, 256, 256),
    ) -> Self:
        """A VAE's parts and a leaky perceptron as critic (in the paper six layers of 1000, gamma 35)."""
        judge = MLP(code, 1, critic, partial(nn.LeakyReLU, 0.2))
        return cls(**cls.parts(spec, code, hidden, likelihood, sigma), critic=judge, gamma=gamma)

    def loss(self, player: str, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The bound and the penalty through the critic's input, or the critic's cross entropy."""
        if player == "critic":
            return self._critic_loss(batch[0])
        latents = self.latents(batch[0], self.samples)
        told = {"reconstruction": latents.reconstruction.mean(), "kl": latents.kl.mean()}
        told["total_correlation"] = self._log_ratio(latents).mean()
        return -self.bound(latents).mean() + self.gamma * told["total_correlation"], told

    def indivisible(self) -> str:
        """The critic compares codes with the codes of other rows."""
        return "its critic sees codes permuted over the whole batch"

    def _critic_loss(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            codes = self.posterior(self.encoder(x)).sample()[0]  # (b, code)
        middle = len(codes) // 2  # of an odd number, the one in the middle is in both halves
        joint, shuffled = codes[: len(codes) - middle], permuted(codes[middle:])
        logits = self.critic(joint), self.critic(shuffled)
        right = ((logits[0] > 0).float().mean() + (logits[1] < 0).float().mean()) / 2
        return (F.softplus(-logits[0]).mean() + F.softplus(logits[1]).mean()) / 2, {"accuracy": right}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the negative bound and its two parts, in nats, and the critic's logit."""
        latents = self.latents(batch[0], self.samples)
        return self.measured(latents) | {"total_correlation": self._log_ratio(latents)}

    def _log_ratio(self, latents: Latents) -> Tensor:  # -> (b,)
        """The critic's logit of each sample's codes."""
        return self.critic(latents.codes.flatten(0, 1)).reshape(latents.codes.shape[:2]).mean(0)


def permuted(codes: Tensor) -> Tensor:  # (b, code) -> (b, code)
    """Each dimension shuffled across the batch by itself: the margins stay, the dependence goes."""
    return codes.gather(0, torch.rand_like(codes).argsort(0))
