"""Softmax GAN: one softmax over all samples of a batch, real and generated."""

import torch
from torch import Tensor

from ...cards.card import method
from .pair import Pair


@method(
    "softmax_gan",
    year=2017,
    paper="arXiv:1704.06191",
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
)
class SoftmaxGAN(Pair):
    r"""Softmax GAN: the critic shares all weight of a batch among its real samples, the generator among all.

    With $\log Z = \log \sum e^l$ over real and generated samples, the critic minimises $\log Z$ minus the
    mean of the real logits, the generator $\log Z$ minus the mean of all: cross entropies of the batch's
    softmax against even shares. The paper writes $D = -l$, which is small for real samples.
    Shapes: logits of any shape -> a scalar.
    """

    relative, compares, batchwise = True, True, True

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: the weight is to lie on the real samples alone, evenly."""
        return _together(real_logits, fake_logits).logsumexp(0) - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """The generator's loss: the weight is to lie evenly on all samples."""
        everything = _together(real_logits, fake_logits)
        return everything.logsumexp(0) - everything.mean()


def _together(real: Tensor, fake: Tensor) -> Tensor:
    return torch.cat([real.flatten(), fake.flatten()])
