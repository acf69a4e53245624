"""f-GAN: a game for every f-divergence between the data and what is generated."""

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError

FAR = 30.0  # from here on exponentials go on as straight lines


def _exp(v: Tensor) -> Tensor:
    """e^v, which goes on beyond `FAR` with the slope that it has there, so that it stays finite."""
    return v.clamp_max(FAR).exp() * (1 + (v - FAR).relu())


def _half_tanh(v: Tensor) -> Tensor:
    return v.tanh() / 2


# The output g(v), in the domain of the conjugate f*, and f*(g(v)), both of the critic's logits v.
DIVERGENCES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "kl": (lambda v: v, lambda v: _exp(v - 1)),
    "reverse_kl": (lambda v: -_exp(-v), lambda v: v - 1),
    "pearson": (lambda v: v, lambda v: v.square() / 4 + v),
    "squared_hellinger": (lambda v: 1 - _exp(-v), lambda v: _exp(v) - 1),
    "jensen_shannon": (lambda v: math.log(2) - F.softplus(-v), lambda v: F.softplus(v) - math.log(2)),
    "gan": (lambda v: -F.softplus(-v), F.softplus),
    "total_variation": (_half_tanh, _half_tanh),
}


@method(
    "f_gan",
    year=2016,
    paper="arXiv:1606.00709",
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 1e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 64,
        "epochs": 200,
    },
    variants={
        "f_gan_kl": {"divergence": "kl"},
        "f_gan_reverse_kl": {"divergence": "reverse_kl"},
        "f_gan_pearson": {"divergence": "pearson"},
        "f_gan_hellinger": {"divergence": "squared_hellinger"},
        "f_gan_total_variation": {"divergence": "total_variation"},
    },
)
class FGAN:
    r"""f-GAN: the critic maximises $E\,g(v_x) - E\,f^*(g(v_g))$, a lower bound of a divergence $D_f(p, q)$.

    $D_f = \sum q\,f(p / q)$; $f^*$ is the convex conjugate of $f$, and $g$ maps logits $v$ into its domain.
    The best critic is $g(v) = f'(p / q)$, where the bound is the divergence. `divergence` is one of "kl",
    "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon" (the default; twice the usual one), "gan"
    (the same less log 4) and "total_variation". The generator maximises $E\,g(v_g)$, the step that does not
    saturate; with `saturating` it minimises $-E\,f^*(g(v_g))$, its part of the bound.
    Exponentials of more than 30 go on as straight lines.
    Shapes: logits of any shape -> a scalar.
    """

    def __init__(self, divergence: str = "jensen_shannon", saturating: bool = False):
        if divergence not in DIVERGENCES:
            raise UsageError(f"divergence is one of {', '.join(DIVERGENCES)}, not {divergence!r}")
        self.output, self.conjugate = DIVERGENCES[divergence]
        self.divergence, self.saturating = divergence, saturating

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: the bound of the divergence, negated."""
        return self.conjugate(fake_logits).mean() - self.output(real_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss: generated samples are to pass for real, or its part of the bound."""
        side = self.conjugate if self.saturating else self.output
        return -side(fake_logits).mean()
