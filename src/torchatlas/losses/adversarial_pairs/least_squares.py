"""The least squares GAN: logits against target values."""

from torch import Tensor

from ...cards.card import method


@method(
    "lsgan",
    year=2016,
    paper="arXiv:1611.04076",
    aliases=("lsgan_least_squares",),
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
    variants={"lsgan_pearson": {"a": -1.0, "b": 1.0, "c": 0.0}},
)
class LeastSquares:
    r"""LSGAN: least squares in place of cross entropy, so that far logits pull as well.

    The critic minimises $\frac{1}{2} E (l_x - b)^2 + \frac{1}{2} E (l_g - a)^2$ and the generator
    $\frac{1}{2} E (l_g - c)^2$. The best critic is $(b\,p + a\,p_g) / (p + p_g)$. With b - c = 1 and
    b - a = 2 (`lsgan_pearson`: a, b, c = -1, 1, 0) the generator then minimises half a Pearson divergence,
    $\sum (p - p_g)^2 / (p + p_g)$; the default is the usual 0, 1, 1.
    Not the loss-sensitive GAN, which is abbreviated in the same way.
    Shapes: logits of any shape -> a scalar.
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0):
        self.a, self.b, self.c = a, b, c

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: real logits are to be b, generated ones a."""
        return ((real_logits - self.b).square().mean() + (fake_logits - self.a).square().mean()) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: generated logits are to be c."""
        return (fake_logits - self.c).square().mean() / 2
