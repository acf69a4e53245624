"""The hinge GAN: a critic that stops where the margin is met."""

from torch import Tensor

from ...cards.card import method


@method(
    "gan_hinge",
    year=2018,
    paper="arXiv:1802.05957",
    aliases=("hinge_gan",),
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.0, 0.9),
        "batch_size": 64,
        "epochs": 200,
    },
)
class Hinge:
    r"""Hinge GAN: the critic minimises $E \max(0, 1 - l_x) + E \max(0, 1 + l_g)$, the generator $-E\,l_g$.

    A sample whose logit is beyond its margin teaches the critic nothing more.
    Shapes: logits of any shape -> a scalar.
    """

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: two hinges, with their margins at 1 and -1."""
        return (1 - real_logits).relu().mean() + (1 + fake_logits).relu().mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: the height of generated samples, negated."""
        return -fake_logits.mean()
