"""The flow: a base density and a transform of the data onto it; likelihood is exact."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from ...engine.learner import Batch, Learner, Source
from ...engine.randomness import reseed
from ..shades import shades_of
from .transforms import Transform

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Part

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
    shades: Tensor | None

    def __init__(self, transforms: Transform, base: Base, shape: tuple[int, ...] = (), shades: int = 0):
        super().__init__()
        self.transforms, self.base, self.shape = transforms, base, shape
        self.register_buffer("shades", torch.tensor(float(shades)) if shades else None)

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> Source | None:
        """No source of its own; it looks up how many shades the pixels have."""
        if self.shades is not None:
            self.shades.fill_(shades_of(data))
        return None

    def trials(self, part: "Part", seed: int) -> Iterator[Batch]:
        """The part's rows, with the same noise within the shades whenever it is scored."""
        for k, batch in enumerate(super().trials(part, seed)):
            reseed(batch[0].device, seed, "trial", k)
            yield batch

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The negative log-likelihood in nats, averaged over the batch."""
        return -self.log_prob(batch[0]).mean()

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the negative log-likelihood in nats; for images also in bits per pixel and channel."""
        nats = -self.log_prob(batch[0])
        if self.shades is None:
            return {"loss": nats}
        return {"loss": nats, "bits_per_dimension": nats / (math.prod(self.shape) * math.log(2))}

    def log_prob(self, x: Tensor) -> Tensor:  # (b, ...) -> (b,)
        """The log-density of each row; for images a bound of the log-probability, from below on average."""
        if self.shades is None:
            return self._log_density(x)
        u = self._within_shades(x, torch.rand_like(x))
        return self._log_density(u) - math.prod(self.shape) * self.shades.log()

    def transform(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        """The noise that becomes x; of an image, the middle of each shade."""
        return self.transforms(x if self.shades is None else self._within_shades(x, 0.5))[0]

    def inverse(self, z: Tensor) -> Tensor:  # (b, d) -> (b, ...)
        """What noise becomes; for an image, the shade that holds each value."""
        x = self.transforms.inverse(z)[0]
        if self.shades is None:
            return x
        shade = torch.minimum((x * self.shades).floor().clamp(min=0), self.shades - 1)
        return shade / (self.shades - 1)

    def sample(self, count: int) -> Tensor:
        """New data from fresh noise."""
        return self.inverse(self.base.sample(count, next(self.parameters())))

    def _log_density(self, x: Tensor) -> Tensor:
        z, log_det = self.transforms(x)
        return self.base.log_prob(z) + log_det

    def _within_shades(self, x: Tensor, noise: Tensor | float) -> Tensor:
        assert self.shades is not None
        return ((x * (self.shades - 1)).round() + noise) / self.shades
