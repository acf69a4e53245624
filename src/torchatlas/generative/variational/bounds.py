"""Lower bounds of log p(x), computed from samples of the posterior."""

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Latents:
    """What one pass through a variational autoencoder knows, for k samples of the code of each input."""

    codes: Tensor  # (k, b, code): z
    log_likelihood: Tensor  # (k, b): log p(x|z)
    log_prior: Tensor  # (k, b): log p(z)
    log_posterior: Tensor  # (k, b): log q(z|x)
    exact_kl: Tensor | None  # (b,): in closed form where the pair of posterior and prior has one

    @property
    def kl(self) -> Tensor:  # (b,)
        """KL(q || p), in closed form or by the samples."""
        if self.exact_kl is not None:
            return self.exact_kl
        return (self.log_posterior - self.log_prior).mean(0)

    @property
    def reconstruction(self) -> Tensor:  # (b,)
        """The mean of -log p(x|z) over the samples."""
        return -self.log_likelihood.mean(0)


def elbo(latents: Latents, beta: float = 1.0) -> Tensor:  # -> (b,)
    r"""The evidence lower bound, $E_q \log p(x|z) - \beta\,\mathrm{KL}(q(z|x) \| p(z))$."""
    return -latents.reconstruction - beta * latents.kl


def importance_bound(latents: Latents) -> Tensor:  # -> (b,)
    r"""The importance-weighted bound, $\log \frac1k \sum p(x|z) p(z) / q(z|x)$: tighter with more samples."""
    log_weights = latents.log_likelihood + latents.log_prior - latents.log_posterior  # (k, b)
    return log_weights.logsumexp(0) - math.log(len(log_weights))
