"""Fisher GAN: the gap of the critic's means, in units of its spread."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from .pair import Pair, at_least_one


@method(
    "fisher_gan",
    year=2017,
    paper="arXiv:1705.09675",
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
)
class Fisher(nn.Module, Pair):
    r"""Fisher GAN: the critic's gap between data and generated, under a second moment $\Omega$ of one.

    $\Omega = \frac{1}{2} E f(x)^2 + \frac{1}{2} E f(G(z))^2$. The critic maximises the augmented Lagrangian
    $E f(x) - E f(G(z)) + \lambda (1 - \Omega) - \frac{\rho}{2} (\Omega - 1)^2$, and after each of its steps
    the multiplier $\lambda$, which begins at 0, moves by $\rho (\Omega - 1)$. The generator minimises
    $-E f(G(z))$. The largest gap is $E_p f - E_q f$ over $\sqrt{\Omega}$, whatever the scale of $f$.
    Shapes: logits (batch, 1) -> a scalar.
    """

    batchwise = True
    multiplier: Tensor
    excess: Tensor

    def __init__(self, rho: float = 1e-6, critic_steps: int = 1):
        super().__init__()
        self.rho, self.critic_steps = rho, at_least_one(critic_steps)
        self.register_buffer("multiplier", torch.zeros(()))
        self.register_buffer("excess", torch.zeros(()))  # of the last batch, until `updated`

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: the augmented Lagrangian, negated."""
        gap = real_logits.mean() - fake_logits.mean()
        excess = (real_logits.square().mean() + fake_logits.square().mean()) / 2 - 1
        if self.training:
            self.excess.copy_(excess.detach())
        return self.multiplier * excess + self.rho / 2 * excess.square() - gap

    def updated(self) -> None:
        """The multiplier grows while the second moment is above one."""
        self.multiplier.add_(self.rho * self.excess)

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: the height of generated samples, negated."""
        return -fake_logits.mean()
