"""The boundary-seeking GAN: a generator that aims at the critic's indecision."""

from torch import Tensor

from ...cards.card import method
from .minimax import Minimax


@method(
    "bgan",
    year=2017,
    paper="arXiv:1702.08431",
    aliases=("boundary_seeking_gan",),
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
)
class BoundarySeeking(Minimax):
    r"""Boundary-seeking GAN: the generator minimises half the squared logit, $(\log D - \log(1 - D))^2 / 2$.

    The critic is that of the minimax game, whose best one cannot decide where the game is won: D = 1/2.
    """

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: half the squared logits of generated samples."""
        return fake_logits.square().mean() / 2
