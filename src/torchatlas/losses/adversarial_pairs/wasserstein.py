"""The Wasserstein GAN: a critic of bounded slope, whose gap is a distance."""

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .pair import Pair, at_least_one


@method(
    "wgan",
    year=2017,
    paper="arXiv:1701.07875",
    aliases=("wasserstein_gan",),
    topics=("gan",),
    recipe={"optimizer": "rmsprop", "lr": 5e-5, "batch_size": 64, "epochs": 400},
)
class Wasserstein(Pair):
    r"""WGAN: the critic widens the gap $E f(x) - E f(G(z))$, which the generator closes.

    After each of the critic's steps all its weights are cut to $[-c, c]$ with $c$ `limit`, so that its slope
    is bounded by some $L$; the largest gap is then at most $L$ times the Wasserstein distance between the
    data and what is generated. There are `critic_steps` steps of the critic to one of the generator, each on
    a batch of its own. The generator's loss is $-E f(G(z))$.
    Shapes: logits (batch, 1) -> a scalar.
    """

    relative = True

    def __init__(self, limit: float | None = 0.01, critic_steps: int = 5):
        if limit is not None and not limit > 0:
            raise UsageError(f"limit must be above 0, not {limit}")
        self.limit, self.critic_steps = limit, at_least_one(critic_steps)

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: the gap, negated."""
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: the height of generated samples, negated."""
        return -fake_logits.mean()
