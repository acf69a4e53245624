"""Relativistic GANs: the critic says how much more real one sample is than another."""

import torch.nn.functional as F
from torch import Tensor

from ...cards.card import method
from .pair import Pair


@method(
    "rgan",
    year=2018,
    paper="arXiv:1807.00734",
    aliases=("rsgan", "relativistic_gan"),
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
    variants={"ragan": {"average": True, "aliases": ("rasgan",)}},
)
class Relativistic(Pair):
    r"""Relativistic GAN: real and generated samples are judged against each other, two by two.

    The critic minimises $-E \log\sigma(l_x - l_g)$, the generator $-E \log\sigma(l_g - l_x)$, over pairs of
    a real and a generated sample. With `average` (`ragan`) each is judged against the mean of the others:
    the critic minimises $-E \log\sigma(l_x - \bar l_g) - E \log\sigma(\bar l_x - l_g)$ and the generator
    the same with the sides exchanged.
    Shapes: as many real logits as generated ones, (batch, 1) -> a scalar.
    """

    relative, compares = True, True

    def __init__(self, average: bool = False):
        self.average = self.batchwise = average

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: real samples are to be more real than generated ones."""
        if self.average:
            real, fake = real_logits - fake_logits.mean(), fake_logits - real_logits.mean()
            return F.softplus(-real).mean() + F.softplus(fake).mean()
        return F.softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """The generator's loss: the critic's, with the sides exchanged."""
        return self.critic(fake_logits, real_logits)
