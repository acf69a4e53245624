"""The flow: a base density and a transform of the data onto it; likelihood is exact."""

import math
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from ...engine.learner import Batch, Learner
from .transforms import Transform

LOG_2PI = math.log(2 * math.pi)


class Base(Protocol):
    """A density of noise, a row (d,) per sample, that can be sampled."""

    def log_prob(self, z: Tensor) -> Tensor: ...

    def sample(self, count: int, like: Tensor) -> Tensor: ...


class StandardNormal(nn.Module):
    """The density $N(0, I)$ of rows of a given width."""

    def __init__(self, features: int):
        super().__init__()
        self.features = features

    def log_prob(self, z: Tensor) -> Tensor:  # (b, d) -> (b,)
        """Log-density of each row."""
        return -(z.square() + LOG_2PI).sum(1) / 2

    def sample(self, count: int, like: Tensor) -> Tensor:  # -> (count, d)
        """Rows on the device and in the type of `like`."""
        return torch.randn(count, self.features, device=like.device, dtype=like.dtype)


class Flow(Learner):
    r"""A density by change of variables: $\log p(x) = \log p_Z(f(x)) + \log |\det \partial f / \partial x|$.

    Data in 0..1. The pixels of images (`shades` > 0) are whole numbers of shades: uniform noise within each
    shade makes them continuous, $u = (k + \epsilon) / K$, and $\log p(u) - d \log K$ is at most $\log P(k)$
    on average. So the loss is in nats per sample, for images of the original shades.
    """

    scaling: ClassVar[str] = "unit"
    needs_target: ClassVar[bool] = False

    def __init__(self, transforms: Transform, base: Base, shape: tuple[int, ...] = (), shades: int = 0):
        super().__init__()
        self.transforms, self.base, self.shape, self.shades = transforms, base, shape, shades

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The negative log-likelihood in nats, averaged over the batch."""
        return -self.log_prob(batch[0]).mean()

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the negative log-likelihood in nats; for images also in bits per pixel and channel."""
        nats = -self.log_prob(batch[0])
        if not self.shades:
            return {"loss": nats}
        return {"loss": nats, "bits_per_dimension": nats / (math.prod(self.shape) * math.log(2))}

    def log_prob(self, x: Tensor) -> Tensor:  # (b, ...) -> (b,)
        """The log-density of each row; for images a bound of the log-probability, from below on average."""
        if not self.shades:
            return self._log_density(x)
        u = self._within_shades(x, torch.rand_like(x))
        return self._log_density(u) - math.prod(self.shape) * math.log(self.shades)

    def transform(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        """The noise that becomes x; of an image, the middle of each shade."""
        return self.transforms(x if not self.shades else self._within_shades(x, 0.5))[0]

    def inverse(self, z: Tensor) -> Tensor:  # (b, d) -> (b, ...)
        """What noise becomes; for an image, the shade that holds each value."""
        x = self.transforms.inverse(z)[0]
        if not self.shades:
            return x
        shade = (x * self.shades).floor().clamp(0, self.shades - 1)
        return shade / (self.shades - 1)

    def sample(self, count: int) -> Tensor:
        """New data from fresh noise."""
        return self.inverse(self.base.sample(count, next(self.parameters())))

    def _log_density(self, x: Tensor) -> Tensor:
        z, log_det = self.transforms(x)
        return self.base.log_prob(z) + log_det

    def _within_shades(self, x: Tensor, noise: Tensor | float) -> Tensor:
        return ((x * (self.shades - 1)).round() + noise) / self.shades
