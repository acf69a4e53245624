"""GAN-QP: a quadratic potential in place of a bound on the critic's slope."""

import torch
from torch import Tensor

from ...cards.card import method
from .pair import Critic, Pair


@method(
    "gan_qp",
    year=2018,
    paper="arXiv:1811.07296",
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
)
class GANQP(Pair):
    r"""GAN-QP: the critic maximises $E[\delta - \delta^2 / (2 \lambda\,d)]$, the gap less its square.

    $\delta = l_x - l_g$ is the gap of two samples, $d$ the mean absolute difference of their numbers and
    $\lambda$ `weight`: the best $\delta$ is $\lambda\,d$, so no slope has to be bounded. The generator
    minimises $E\,\delta$, of which it moves $-E\,l_g$ alone. The paper's critic may see both samples at once;
    as in its experiments, it judges each by itself here.
    Shapes: as many real samples as generated ones; logits (batch, 1) -> a scalar.
    """

    relative = True

    def __init__(self, weight: float = 10.0):
        self.weight = weight

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The linear part of the critic's loss: the gap, negated."""
        return fake_logits.mean() - real_logits.mean()

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """The quadratic part of the critic's loss, in units of how far two samples are apart."""
        far = (real - fake).flatten(1).abs().mean(1)
        gap = (critic(real) - critic(fake)).flatten()
        return (gap.square() / (2 * self.weight * far).clamp_min(torch.finfo(far.dtype).eps)).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: the height of generated samples, negated."""
        return -fake_logits.mean()
