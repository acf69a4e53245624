"""Maps rebuilt from a few bases that are fitted anew to each: by expectation-maximisation, by factors."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..normalization.batch import wide

SMALL = 1e-6


def _unit_columns(x: Tensor) -> Tensor:
    """Columns of length 1; those of zeros stay zeros."""
    return F.normalize(x, dim=-2, eps=SMALL)


def _bases(width: int, bases: int, steps: int) -> None:
    if bases < 1 or steps < 1 or width < 1:
        raise UsageError(f"bases={bases}, steps={steps} and a width of {width} must all be 1 or more")


@method(
    "emanet",
    year=2019,
    paper="arXiv:1907.13426",
    aliases=("em_attention",),
    topics=("vision", "segmentation"),
    tiny={"channels": 4, "bases": 3, "steps": 2},
)
class ExpectationMaximizationAttention(nn.Module):
    r"""EMANet: the map rebuilt from K bases that expectation-maximisation fits to it.

    $x + W(\max(0, \mu z^T))$. With $v = W_0 x$, N positions: z, the softmax over the bases of $v_n · \mu_k$,
    says to which basis a position belongs; $\mu_k$, the mean of v weighted by $z_{nk}$, brought to length 1.
    After `steps` rounds the positions are $\sum_k z_{nk} \mu_k$; ReLU, and a 1×1 convolution with batch
    normalisation. All samples begin at the same bases, which while training follow the batch's by
    `momentum`. Gradients go through all rounds.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for no bases or no steps.
    """

    bases: Tensor

    def __init__(self, channels: int, bases: int = 64, steps: int = 3, momentum: float = 0.9):
        super().__init__()
        _bases(channels, bases, steps)
        self.steps, self.momentum = steps, momentum
        self.inward = nn.Conv2d(channels, channels, 1)
        self.register_buffer("bases", _unit_columns(torch.randn(channels, bases)))
        self.outward = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def fitted(self, v: Tensor) -> tuple[Tensor, Tensor]:  # (b, c, n) -> (b, c, k), (b, n, k)
        """The bases of each map, and how its positions belong to them."""
        mu = self.bases.clone().expand(len(v), -1, -1).to(v.dtype)  # they move before the backward pass
        z = (v.mT @ mu).softmax(2)
        for step in range(self.steps):
            mu = _unit_columns(v @ (z / (SMALL + z.sum(1, keepdim=True))))
            if step < self.steps - 1:
                z = (v.mT @ mu).softmax(2)
        return mu, z

    def forward(self, x: Tensor) -> Tensor:
        mu, z = self.fitted(self.inward(x).flatten(2))
        if self.training:
            self.bases.lerp_(mu.detach().mean(0).to(self.bases.dtype), 1 - self.momentum)
        added: Tensor = self.outward(F.relu(mu @ z.mT).unflatten(2, x.shape[2:]))
        return x + added


@method(
    "hamburger",
    year=2021,
    paper="arXiv:2109.04553",
    topics=("vision", "segmentation"),
    tiny={"channels": 4, "width": 5, "bases": 3, "steps": 2, "one_step": False},
)
class Hamburger(nn.Module):
    r"""Hamburger: between two 1×1 convolutions the map is replaced by a product of two thin matrices.

    $x + \mathrm{BN}(W_u D C)$ where $D C \approx V = \max(0, W_l x)$, all not negative. From fixed random
    bases D and C = softmax of $V^T D$, `steps` rounds of multiplicative updates bring D C nearer to V: $C ←
    C ⊙ \frac{V^T D}{C D^T D}$, $D ← D ⊙ \frac{V C}{D C^T C}$; C is updated once more. one_step: the gradient
    goes through this last update alone, as in the paper, and takes the rest for given; else through all of
    them.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for no bases or no steps.
    """

    bases: Tensor

    def __init__(
        self, channels: int, width: int = 512, bases: int = 64, steps: int = 6, one_step: bool = True
    ):
        super().__init__()
        _bases(width, bases, steps)
        self.steps, self.one_step = steps, one_step
        self.inward = nn.Conv2d(channels, width, 1)
        self.register_buffer("bases", _unit_columns(torch.rand(width, bases)))
        self.outward = nn.Sequential(nn.Conv2d(width, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def factors(self, v: Tensor) -> tuple[Tensor, Tensor]:  # (b, d, n) -> (b, d, r), (b, n, r)
        """D and C after all rounds but the last update of C."""
        d = self.bases.expand(len(v), -1, -1).to(v.dtype)
        c = (v.mT @ d).softmax(2)
        for _ in range(self.steps):
            c = _nearer(c, v.mT @ d, c @ (d.mT @ d))
            d = _nearer(d, v @ c, d @ (c.mT @ c))
        return d, c

    def forward(self, x: Tensor) -> Tensor:
        v = wide(F.relu(self.inward(x)).flatten(2))
        with torch.autocast(x.device.type, enabled=False):  # ratios of large sums
            if self.one_step:
                with torch.no_grad():
                    d, c = self.factors(v)
            else:
                d, c = self.factors(v)
            c = _nearer(c, v.mT @ d, c @ (d.mT @ d))
            rebuilt = (d @ c.mT).to(x.dtype)
        added: Tensor = self.outward(rebuilt.unflatten(2, x.shape[2:]))
        return x + added


def _nearer(factor: Tensor, wanted: Tensor, has: Tensor) -> Tensor:
    """A factor after one multiplicative update: larger where the product is too small."""
    return factor * wanted / (has + SMALL)
