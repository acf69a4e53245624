"""The variational autoencoder: posterior, prior, likelihood and bound."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner
from ...networks.dense.mlp import MLP
from .bounds import Latents, elbo, importance_bound
from .parts import Bernoulli, DiagonalGaussian, Gaussian, Likelihood, Posterior, Prior, StandardNormal

if TYPE_CHECKING:
    from ...data.spec import Spec


@method(
    "vae",
    year=2013,
    paper="arXiv:1312.6114",
    aliases=("variational_autoencoder",),
    topics=("generation", "representation"),
    recipe={"optimizer": "adam", "lr": 0.002, "batch_size": 64, "epochs": 50},
    tiny={"code": 2, "hidden": (16,)},
)
class VAE(Learner):
    r"""Variational autoencoder: maximise $E_q \log p(x|z) - \mathrm{KL}(q(z|x) \| p(z))$.

    `encoder` maps data to what `posterior` needs (means and log-variances of the code), `decoder` maps codes
    to what `likelihood` needs (as many values as the data has). The loss is the negative bound in nats:
    summed over a sample's values, averaged over the batch.
    """

    scaling: ClassVar[str] = "unit"
    needs_target: ClassVar[bool] = False

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: Prior,
        likelihood: Likelihood,
        posterior: Posterior = DiagonalGaussian.from_outputs,
        bound: Callable[[Latents], Tensor] = elbo,
        shape: tuple[int, ...] = (),
        samples: int = 1,
    ):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.prior, self.likelihood, self.posterior, self.bound = prior, likelihood, posterior, bound
        self.shape, self.samples = shape, samples

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        code: int = 16,
        hidden: int | Sequence[int] = (256,),
        likelihood: str = "",
        sigma: float = 0.5,
        samples: int = 1,
    ) -> Self:
        """One-layer encoder and decoder around codes of width `code`.

        `likelihood` is "bernoulli" (the default for images, whose values are 0..1) or "gaussian" with the
        standard deviation `sigma` (the default for tables); `samples` are drawn for each input.
        """
        return cls(**cls.parts(spec, code, hidden, likelihood, sigma), samples=samples)

    @staticmethod
    def parts(
        spec: "Spec", code: int, hidden: int | Sequence[int], likelihood: str, sigma: float
    ) -> dict[str, Any]:
        """The constructor's default parts for data of this spec."""
        likelihood = likelihood or ("bernoulli" if spec.modality == "image" else "gaussian")
        if likelihood not in ("bernoulli", "gaussian"):
            raise UsageError(f"vae's likelihood is bernoulli or gaussian, not {likelihood!r}")
        width = math.prod(spec.shape)
        wide = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        return {
            "encoder": MLP(width, 2 * code, wide),
            "decoder": MLP(code, width, wide[::-1]),
            "prior": StandardNormal(code),
            "likelihood": Bernoulli() if likelihood == "bernoulli" else Gaussian(sigma),
            "shape": spec.shape,
        }

    def loss(self, player: str, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The negative bound, with its two parts to record."""
        latents = self.latents(batch[0], self.samples)
        parts = {"reconstruction": latents.reconstruction.mean(), "kl": latents.kl.mean()}
        return -self.bound(latents).mean(), parts

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the negative bound and its two parts, in nats."""
        return self.measured(self.latents(batch[0], self.samples))

    def measured(self, latents: Latents) -> dict[str, Tensor]:
        """The scores that one pass gives."""
        return {"loss": -self.bound(latents), "reconstruction": latents.reconstruction, "kl": latents.kl}

    def latents(self, x: Tensor, samples: int) -> Latents:
        """Encode, sample and decode: the densities that every bound is made of."""
        q = self.posterior(self.encoder(x))
        z = q.sample(samples)  # (k, b, code)
        outputs = self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])  # (k, b, d)
        log_likelihood = self.likelihood.log_prob(outputs.flatten(2), x.flatten(1))
        return Latents(z, log_likelihood, self.prior.log_prob(z), q.log_prob(z), q.kl(self.prior))

    def log_prob(self, x: Tensor, samples: int = 64) -> Tensor:  # (b, ...) -> (b,)
        """An estimate of log p(x) from below: the importance-weighted bound."""
        return importance_bound(self.latents(x, samples))

    def transform(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, code)
        """The mean code of each input."""
        return self.posterior(self.encoder(x)).mean

    def decode(self, z: Tensor) -> Tensor:  # (b, code) -> (b, ...)
        """The mean of p(x|z), in the data's shape."""
        return self.likelihood.mean(self.decoder(z)).reshape(-1, *self.shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The data decoded from its mean code."""
        return self.decode(self.transform(x))

    def sample(self, count: int) -> Tensor:
        """New data: the mean of p(x|z) for codes drawn from the prior."""
        return self.decode(self.prior.sample(count, next(self.decoder.parameters())))
