"""Penalties on the slope of a critic: WGAN-GP, DRAGAN and WGAN-div."""

import torch
from torch import Tensor

from ...cards.card import method
from .minimax import NonSaturating
from .pair import Critic, between, slopes
from .wasserstein import Wasserstein


@method(
    "wgan_gp",
    year=2017,
    paper="arXiv:1704.00028",
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 1e-4,
        "optimizer.betas": (0.0, 0.9),
        "batch_size": 64,
        "epochs": 200,
    },
)
class WassersteinGP(Wasserstein):
    r"""WGAN-GP: a Wasserstein GAN whose critic has slope one between the data and what is generated.

    In place of a bound on weights the critic's loss has the penalty $\lambda\,E(\|\nabla f(\hat x)\| - 1)^2$
    with $\lambda$ `weight`, at points $\hat x = u x + (1 - u) G(z)$ with one $u$ per sample, evenly drawn
    from 0..1. The critic must take its samples one by one: no batch norm.
    """

    def __init__(self, weight: float = 10.0, critic_steps: int = 5):
        super().__init__(None, critic_steps)
        self.weight = weight

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """How far the critic's slope is from one, between real and generated samples."""
        return self.weight * (slopes(critic, between(real, fake))[1] - 1).square().mean()


@method(
    "dragan",
    year=2017,
    paper="arXiv:1705.07215",
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 1e-4,
        "optimizer.betas": (0.5, 0.9),
        "batch_size": 64,
        "epochs": 200,
    },
)
class DRAGAN(NonSaturating):
    r"""DRAGAN: the first GAN, with a critic of slope one around the data.

    The critic's loss has the penalty $\lambda\,E(\|\nabla l(\hat x)\| - k)^2$ with $\lambda$ `weight` and
    $k$ `slope`, at $\hat x = x + u\,s\,v / 2$: $s$ is the standard deviation of all numbers of the batch,
    $u$ one number per sample and $v$ one per value, both evenly drawn from 0..1. Both losses are those of the
    minimax game, but that the generator's is the one that does not saturate.
    """

    def __init__(self, weight: float = 10.0, slope: float = 1.0):
        self.weight, self.slope = weight, slope

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """How far the critic's slope is from `slope`, around real samples."""
        around = between(real + 0.5 * real.std(correction=0) * torch.rand_like(real), real)
        return self.weight * (slopes(critic, around)[1] - self.slope).square().mean()


@method(
    "wgan_div",
    year=2017,
    paper="arXiv:1712.01026",
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
)
class WassersteinDiv(Wasserstein):
    r"""WGAN-div: a Wasserstein divergence, for which no slope is forbidden, but steep ones cost.

    The critic's loss has the penalty $k\,E\|\nabla f(\hat x)\|^p$ with $k$ `weight` and $p$ `power`, at the
    points of WGAN-GP.
    """

    def __init__(self, weight: float = 2.0, power: float = 6.0, critic_steps: int = 5):
        super().__init__(None, critic_steps)
        self.weight, self.power = weight, power

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic's slope costs, between real and generated samples."""
        return self.weight * slopes(critic, between(real, fake))[1].pow(self.power).mean()
