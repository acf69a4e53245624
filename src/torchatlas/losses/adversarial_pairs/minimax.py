"""The first GAN losses: the minimax game, and the generator's loss that does not saturate."""

import torch.nn.functional as F
from torch import Tensor

from ...cards.card import method


@method(
    "gan_minimax",
    year=2014,
    paper="arXiv:1406.2661",
    aliases=("mmgan",),
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
)
class Minimax:
    r"""Minimax GAN: critic and generator play $\min_G \max_D E \log D(x) + E \log(1 - D(G(z)))$.

    With logits $l$ and $D = \sigma(l)$, the critic's loss is $E\,\zeta(-l_x) + E\,\zeta(l_g)$ and the
    generator's $-E\,\zeta(l_g)$, where $\zeta$ is softplus. The best critic is $p / (p + p_g)$, and its loss
    then $\log 4 - 2\,\mathrm{JS}(p, p_g)$. The generator's gradient $-\sigma(l_g)$ fades where the critic
    wins clearly.
    Shapes: logits of any shape -> a scalar.
    """

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: binary cross entropy of real against generated."""
        return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: what the critic gains from generated samples, negated."""
        return -F.softplus(fake_logits).mean()


@method(
    "gan_nonsaturating",
    year=2014,
    paper="arXiv:1406.2661",
    aliases=("nsgan",),
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
)
class NonSaturating(Minimax):
    r"""Non-saturating GAN: the generator minimises $-E \log D(G(z)) = E\,\zeta(-l_g)$.

    The critic and the fixed point are those of the minimax game; the gradient $-(1 - \sigma(l_g))$ stays
    large while the critic wins.
    """

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: binary cross entropy with generated samples labelled real."""
        return F.softplus(-fake_logits).mean()
