"""What a variational autoencoder is composed of: posteriors, priors and likelihoods.

Codes carry a leading axis of samples: (k, batch, code). Log-densities are summed over the last axes and keep
(k, batch) or (batch,).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class DiagonalGaussian:
    r"""The posterior $q(z|x) = N(\mu, \mathrm{diag}\,\sigma^2)$, given by $\mu$ and $\log \sigma^2$."""

    mean: Tensor  # (b, code)
    log_variance: Tensor  # (b, code)

    @classmethod
    def from_outputs(cls, outputs: Tensor) -> "DiagonalGaussian":  # (b, 2 * code)
        """From an encoder's outputs: the means, then the log-variances."""
        return cls(*outputs.chunk(2, -1))

    def sample(self, count: int = 1) -> Tensor:  # -> (count, b, code)
        r"""Reparameterised samples $\mu + \sigma \epsilon$: gradients reach the mean and the variance."""
        shape = (count, *self.mean.shape)
        noise = torch.randn(shape, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + (self.log_variance / 2).exp() * noise

    def log_prob(self, z: Tensor) -> Tensor:  # (..., b, code) -> (..., b)
        """Log-density of codes."""
        scaled = (z - self.mean).square() * (-self.log_variance).exp()
        return -(scaled + self.log_variance + LOG_2PI).sum(-1) / 2

    def kl(self, prior: "Prior") -> Tensor | None:  # -> (b,)
        r"""KL(q || p), $\frac12 \sum (\mu^2 + \sigma^2 - \log \sigma^2 - 1)$ for a standard normal prior.

        None for any other prior: then a bound takes $\log q - \log p$ at its samples.
        """
        if not isinstance(prior, StandardNormal):
            return None
        return (self.mean.square() + self.log_variance.exp() - self.log_variance - 1).sum(-1) / 2


Posterior = Callable[[Tensor], DiagonalGaussian]  # an encoder's outputs -> q(z|x)


class Prior(Protocol):
    """A density of codes that can be sampled."""

    def log_prob(self, z: Tensor) -> Tensor: ...

    def sample(self, count: int, like: Tensor) -> Tensor: ...


class StandardNormal(nn.Module):
    """The prior $N(0, I)$ over codes of a given width."""

    def __init__(self, code: int):
        super().__init__()
        self.code = code

    def log_prob(self, z: Tensor) -> Tensor:  # (..., code) -> (...)
        """Log-density of codes."""
        return -(z.square() + LOG_2PI).sum(-1) / 2

    def sample(self, count: int, like: Tensor) -> Tensor:  # -> (count, code)
        """Codes on the device and in the type of `like`."""
        return torch.randn(count, self.code, device=like.device, dtype=like.dtype)


class Likelihood(Protocol):
    """A density of data given a decoder's outputs of the same shape."""

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor: ...

    def mean(self, outputs: Tensor) -> Tensor: ...


class Bernoulli(nn.Module):
    """Independent Bernoulli values with the decoder's outputs as logits; data in 0..1.

    For grey values between 0 and 1 it is a cross entropy and no density, as is usual for images.
    """

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:  # (..., b, d), (b, d) -> (..., b)
        """Log-probability of data, summed over its values."""
        x = x.expand_as(outputs)
        return -F.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(-1)

    def mean(self, outputs: Tensor) -> Tensor:
        """The probabilities."""
        return outputs.sigmoid()


class Gaussian(nn.Module):
    r"""Independent normal values around the decoder's outputs with one fixed $\sigma$, constant included.

    The sum of squared errors, without its half, is $\sigma^2 = 1/2$.
    """

    def __init__(self, sigma: float = 1.0):
        super().__init__()
        self.sigma = sigma

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:  # (..., b, d), (b, d) -> (..., b)
        """Log-density of data, summed over its values."""
        scaled = ((x - outputs) / self.sigma).square()
        return -(scaled + LOG_2PI + 2 * math.log(self.sigma)).sum(-1) / 2

    def mean(self, outputs: Tensor) -> Tensor:
        """The outputs themselves."""
        return outputs
