"""Gradient normalisation: logits divided by the critic's own slope."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .hinge import Hinge
from .pair import Critic, slopes

FORMS = ("gn", "gran")


@method(
    "gn_gan",
    year=2021,
    paper="arXiv:2109.02235",
    aliases=("gngan",),
    topics=("gan",),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.0, 0.9),
        "batch_size": 64,
        "epochs": 200,
    },
    variants={"gran_gan": {"form": "gran", "paper": "arXiv:2111.03162"}},
)
class GradientNormalized(Hinge):
    r"""GN-GAN: the hinge losses of normalised logits, $f / (\|\nabla f\| + |f|)$, so that no slope grows.

    $\nabla f$ is the gradient of a sample's logit by the sample. The logits lie in -1..1. The form "gran"
    (`gran_gan`) is $f\,\|\nabla f\| / (\|\nabla f\|^2 + \epsilon)$ instead, whose slope is one wherever
    $f$ is piecewise linear; it is not bounded.
    """

    def __init__(self, form: str = "gn", eps: float = 0.1):
        if form not in FORMS:
            raise UsageError(f"form is one of {', '.join(FORMS)}, not {form!r}")
        self.form, self.eps = form, eps

    def logits(self, critic: Critic, x: Tensor) -> Tensor:
        """The critic's logits of some samples, normalised by its slope there."""
        height, slope = slopes(critic, x)
        slope = slope.reshape(-1, *[1] * (height.ndim - 1))
        if self.form == "gran":
            return height * slope / (slope.square() + self.eps)
        return height / (slope + height.abs()).clamp_min(torch.finfo(height.dtype).tiny)
