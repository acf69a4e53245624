"""GANs that match features: their mean and covariance (McGAN), or all moments by kernels (MMD GAN)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .pair import Pair, at_least_one

MOMENTS = ("mean", "covariance", "both")


class FeaturePair(Pair):
    """A critic that gives features (batch, width) and widens a distance, which the generator closes.

    Its weights are cut to `limit` after each of its steps.
    """

    compares, batchwise = True, True

    def __init__(self, width: int, limit: float | None, critic_steps: int):
        if width < 1:
            raise UsageError(f"width must be at least 1, not {width}")
        self.width, self.limit, self.critic_steps = width, limit, at_least_one(critic_steps)

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """How far the features of real and generated samples are apart, as two clouds."""
        raise NotImplementedError

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: the distance, negated."""
        return -self.distance(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """The generator's loss: the distance."""
        return self.distance(real_logits, fake_logits)


@method(
    "mcgan",
    year=2017,
    paper="arXiv:1702.08398",
    topics=("gan",),
    recipe={"optimizer": "rmsprop", "lr": 5e-5, "batch_size": 64, "epochs": 400},
    tiny={"width": 4},
    variants={"mcgan_mean": {"moments": "mean"}},
)
class McGAN(FeaturePair):
    r"""McGAN: the distance of two clouds of features is that of their means and covariances.

    $\|\mu_p - \mu_q\|_r + \|\Sigma_p - \Sigma_q\|_*$: $\mu$ is the mean of the features $\Phi$ and
    $\Sigma = E \Phi \Phi^T$, not centred; $r$ is `order`, and the nuclear norm adds up singular values.
    `moments` takes the "mean" alone, the "covariance" or "both". The largest of
    $E_p \langle v, \Phi \rangle - E_q \langle v, \Phi \rangle$ over $v$ of dual norm one is the first term.
    Shapes: features (batch, width) -> a scalar.
    """

    def __init__(
        self,
        moments: str = "both",
        order: float = 2.0,
        width: int = 16,
        limit: float | None = 0.01,
        critic_steps: int = 5,
    ):
        super().__init__(width, limit, critic_steps)
        if moments not in MOMENTS:
            raise UsageError(f"moments is one of {', '.join(MOMENTS)}, not {moments!r}")
        self.moments, self.order, self.relative = moments, order, moments == "mean"

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """The distance of the means, of the covariances, or both added up."""
        total = real.new_zeros(())
        if self.moments != "covariance":
            total = total + torch.linalg.vector_norm(real.mean(0) - fake.mean(0), ord=self.order)
        if self.moments != "mean":
            gap = real.mT @ real / len(real) - fake.mT @ fake / len(fake)
            wide = gap.to(torch.promote_types(gap.dtype, torch.float32))  # halves have no singular values
            total = total + torch.linalg.svdvals(wide).sum()
        return total


@method(
    "mmd_gan",
    year=2017,
    paper="arXiv:1705.08584",
    topics=("gan",),
    recipe={"optimizer": "rmsprop", "lr": 5e-5, "batch_size": 64, "epochs": 400},
    tiny={"width": 4},
)
class MMDGAN(FeaturePair):
    r"""MMD GAN: the distance of two clouds of features is their maximum mean discrepancy.

    $E\,k(x, x') + E\,k(y, y') - 2\,E\,k(x, y)$ with the kernel $k(x, y) = \sum_s e^{-\|x - y\|^2 / (2 s^2)}$
    over the `bandwidths` $s$, and means over all pairs, a sample with itself included: never below 0. The
    paper's decoder, which keeps the features from losing the data, is left out.
    Shapes: features (batch, width) -> a scalar.
    """

    relative = True

    def __init__(
        self,
        bandwidths: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0),
        width: int = 16,
        limit: float | None = 0.01,
        critic_steps: int = 5,
    ):
        super().__init__(width, limit, critic_steps)
        self.bandwidths = tuple(bandwidths)
        if not self.bandwidths or min(self.bandwidths) <= 0:
            raise UsageError(f"bandwidths are numbers above 0, not {bandwidths}")

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """The squared maximum mean discrepancy, estimated with each sample's own pair."""
        return self._mean(real, real) + self._mean(fake, fake) - 2 * self._mean(real, fake)

    def _mean(self, x: Tensor, y: Tensor) -> Tensor:
        far = (x[:, None] - y[None]).square().sum(2)
        return torch.stack([(far / (-2 * s**2)).exp().mean() for s in self.bandwidths]).sum()
