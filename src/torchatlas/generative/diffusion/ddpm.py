"""Denoising diffusion: a network learns which noise was added, and takes it off step by step."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...data.spec import BYTE
from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner
from ...networks.dense.diffusion_unet import DiffusionUNet, TimeMLP
from .process import Noising, at, linear_betas

if TYPE_CHECKING:
    from ...data.spec import Spec

LOG_2PI = math.log(2 * math.pi)


@method(
    "ddpm",
    year=2020,
    paper="arXiv:2006.11239",
    aliases=("denoising_diffusion",),
    topics=("generation",),
    recipe={"optimizer": "adam", "lr": 0.001, "batch_size": 64, "epochs": 100, "clip": 1.0, "ema": 0.995},
    tiny={"timesteps": 10, "hidden": (16,), "width": 8, "multiples": (1, 2), "blocks": 1},
)
class DDPM(Learner):
    r"""Denoising diffusion: minimise $E \|\epsilon - \epsilon_\theta(x_t, t)\|^2$ with t uniform.

    The mean over values, of $x_t = \sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t} \epsilon$ for standard
    normal $\epsilon$. Samples begin as noise; each step back draws from
    $N((x_t - \beta_t \epsilon_\theta / \sqrt{1 - \bar\alpha_t}) / \sqrt{1 - \beta_t}, \sigma_t^2)$,
    the last one without noise. Data lies in -1..1; for images (`shades` > 0) the guess of $x_0$ is clipped
    to that in every step back.
    """

    scaling: ClassVar[str] = "symmetric"
    needs_target: ClassVar[bool] = False

    def __init__(
        self,
        network: nn.Module,  # (x_t, t) -> the noise in x_t
        process: Noising,
        shape: tuple[int, ...],
        variance: str = "beta",
        shades: int = 0,
    ):
        if variance not in ("beta", "posterior"):
            raise UsageError(f"ddpm's variance is beta or posterior, not {variance!r}")
        super().__init__()
        self.network, self.process, self.shape, self.variance = network, process, shape, variance
        self.shades = shades

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        timesteps: int = 1000,
        variance: str = "beta",
        hidden: int | Sequence[int] = (128, 128, 128),
        width: int = 32,
        multiples: Sequence[int] = (1, 2, 2),
        blocks: int = 1,
        dropout: float = 0.0,
    ) -> Self:
        """A U-Net for images, a perceptron of `hidden` units for rows.

        `timesteps` is T; `variance` of a step back is "beta" ($\\sigma_t^2 = \\beta_t$, as in the paper's
        pictures) or "posterior" (that of $q(x_{t-1} | x_t, x_0)$). `width`, `multiples` and `blocks` are the
        U-Net's size.
        """
        process = Noising(linear_betas(timesteps))
        if spec.modality == "table":
            return cls(TimeMLP(spec.shape[0], hidden), process, spec.shape, variance)
        channels, height, across = spec.shape
        network = DiffusionUNet(channels, (height, across), width, multiples, blocks, dropout=dropout)
        return cls(network, process, spec.shape, variance, shades=spec.shades or BYTE)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The squared error of the noise, averaged over values and samples."""
        x = batch[0]
        return self._errors(x, torch.randint(len(self.process), (len(x),), device=x.device)).mean()

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the squared error of the noise at one time; the times are spread over the batch."""
        x = batch[0]
        rows = torch.arange(len(x), device=x.device)
        spread = (rows + torch.rand(len(x), device=x.device)) / len(x)  # the mean over times varies less
        return {"loss": self._errors(x, (spread * len(self.process)).long().clamp(max=len(self.process) - 1))}

    def _errors(self, x: Tensor, t: Tensor) -> Tensor:  # -> (b,)
        noise = torch.randn_like(x)
        guess = self.network(self.process.noised(x, t, noise), t)
        return (noise - guess).square().flatten(1).mean(1)

    def step_back(self, now: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_{t-1} from x_t: the mean, and the noise given; at time 0 the mean alone."""
        later = (t > 0).to(now.dtype).view(-1, *(1,) * (now.ndim - 1))
        return self._mean_before(now, t) + later * at(self._variances(), t, now).sqrt() * noise

    def sample(self, count: int) -> Tensor:
        """New data: from noise, one step back after another."""
        like = next(self.network.parameters())
        x = torch.randn(count, *self.shape, device=like.device, dtype=like.dtype)
        for step in reversed(range(len(self.process))):
            x = self.step_back(x, x.new_full((count,), step, dtype=torch.long), torch.randn_like(x))
        return x if not self.shades else x.clamp(-1, 1)

    def bound(self, x: Tensor) -> Tensor:  # (b, ...) -> (b,)
        r"""The variational bound of $-\log p(x)$ in nats: all T terms, each with fresh noise.

        For images it is that of their shades (divide by values times log 2 for bits per dimension); for rows
        that of their density. With $\sigma_t^2 = \beta_t$, the first step takes the second's posterior
        variance.
        """
        process = self.process
        last = process.alpha_bars[-1]
        prior = (last * x.square() + (1 - last) - torch.log1p(-last) - 1).flatten(1).sum(1) / 2
        total = prior + self._data_term(x)
        for step in range(1, len(process)):
            t = torch.full((len(x),), step, device=x.device)
            now = process.noised(x, t, torch.randn_like(x))
            gap = (process.posterior_mean(x, now, t) - self._mean_before(now, t)).square()
            ratio = process.posterior_variances[step] / self._variances()[step]
            rest = x[0].numel() * (ratio - ratio.log() - 1)
            total = total + (gap.flatten(1).sum(1) / self._variances()[step] + rest) / 2
        return total

    def _data_term(self, x: Tensor) -> Tensor:
        """-log p(x_0 | x_1): of the bin of each shade, open at black and white; of a density for rows."""
        t = torch.zeros(len(x), dtype=torch.long, device=x.device)
        mean = self._mean_before(self.process.noised(x, t, torch.randn_like(x)), t)
        spread = self.process.posterior_variances[1].sqrt()
        if not self.shades:
            return (((x - mean) / spread).square() + LOG_2PI + 2 * spread.log()).flatten(1).sum(1) / 2
        half = 1 / (self.shades - 1)
        above = torch.where(x > 1 - half, torch.inf, (x + half - mean) / spread)
        below = torch.where(x < half - 1, -torch.inf, (x - half - mean) / spread)
        flip = below > 0  # in the upper tail both are near 1: take their mirror images
        high, low = torch.where(flip, -below, above), torch.where(flip, -above, below)
        mass = torch.special.ndtr(high) - torch.special.ndtr(low)
        return -mass.clamp(min=torch.finfo(x.dtype).tiny).log().flatten(1).sum(1)

    def _variances(self) -> Tensor:
        return self.process.betas if self.variance == "beta" else self.process.posterior_variances

    def _mean_before(self, now: Tensor, t: Tensor) -> Tensor:
        """The mean of the step back, by the network's guess of the noise."""
        data = self.process.clean(now, t, self.network(now, t))
        if self.shades:
            data = data.clamp(-1, 1)
        return self.process.posterior_mean(data, now, t)
