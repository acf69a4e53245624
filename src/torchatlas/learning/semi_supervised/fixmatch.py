"""FixMatch: what a network is sure of in a lightly changed image, it must say of a heavily changed one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...data.augmentation.chain import Choice as Augmentation
from ...engine.learner import Batch
from ...networks.fitting import Maker, network_for
from .learner import AbstractSemiSupervised, augmentation, refuse_other_tasks

if TYPE_CHECKING:
    from ...data.spec import Spec

WEAK = {"image": ("random_shift",), "table": ()}
STRONG = {"image": ("random_shift", "randaugment", "cutout"), "table": ("gaussian_noise",)}


@method(
    "fixmatch",
    year=2020,
    paper="arXiv:2001.07685",
    topics=("classification", "semi-supervised"),
    recipe={
        "optimizer": "sgd",
        "lr": 0.03,
        "optimizer.momentum": 0.9,
        "optimizer.nesterov": True,
        "optimizer.weight_decay": 0.0005,
        "schedule": "lr_cosine",
        "ema": 0.999,
        "batch_size": 64,
        "steps": 3000,
    },
    tiny={"ratio": 2, "threshold": 0.3},
)
class FixMatch(AbstractSemiSupervised):
    r"""FixMatch: pseudo-labels from weakly augmented rows, cross entropy on strongly augmented ones.

    $L = \mathrm{CE}(f(w(x)), y) + \lambda \frac{1}{\mu B} \sum_u [\max p_u \ge \tau]\,
    \mathrm{CE}(f(s(u)), \arg\max p_u)$ with $p_u = \mathrm{softmax} f(w(u))$, without gradient. The sum is
    divided by all $\mu B$ unlabelled rows (`ratio` $\mu$), not by those that pass. All rows go through the
    network together. The paper scores the moving average of the weights: `ema` of the recipe. Its rate falls
    as $\cos(7\pi k/16K)$; `lr_cosine`, the recipe's, falls to zero.
    """

    def __init__(
        self,
        network: nn.Module,
        weak: nn.Module,
        strong: nn.Module,
        *,
        ratio: int = 7,
        threshold: float = 0.95,
        weight: float = 1.0,
    ):
        super().__init__(network, ratio)
        self.weak, self.strong, self.threshold, self.weight = weak, strong, threshold, weight

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        backbone: Maker = "mlp",
        weak: Augmentation | Sequence[Augmentation] = "",
        strong: Augmentation | Sequence[Augmentation] = "",
        ratio: int = 7,
        threshold: float = 0.95,
        weight: float = 1.0,
    ) -> Self:
        """A network by name or class; usual: shifts; then RandAugment and cutout; noise for tables.

        Photographs want mirroring too: `weak=("random_flip", "random_shift")`.
        """
        refuse_other_tasks("fixmatch", spec)
        mild = augmentation(weak, WEAK[spec.modality])
        heavy = augmentation(strong, STRONG[spec.modality])
        more = {"threshold": threshold, "weight": weight}
        return cls(network_for(spec, backbone), mild, heavy, ratio=ratio, **more)

    def loss(self, player: str, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The labelled rows' cross entropy and that of the pseudo-labels that pass."""
        x, y, u = batch
        with torch.no_grad():
            rows = torch.cat([self.weak(torch.cat([x, u])), self.strong(u)])
        labelled, mild, heavy = self.network(rows).split((len(x), len(u), len(u)))
        sure, guess = mild.detach().softmax(1).max(1)
        kept = (sure >= self.threshold).to(heavy.dtype)
        supervised = F.cross_entropy(labelled, y)
        consistency = (kept * F.cross_entropy(heavy, guess, reduction="none")).mean()
        told = {"supervised": supervised, "consistency": consistency, "kept": kept.mean()}
        return supervised + self.weight * consistency, told
