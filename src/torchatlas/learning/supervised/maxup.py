"""MaxUp: of several augmented copies of each sample the worst one is learned."""

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...data.augmentation.chain import Choice, chain
from ...engine.errors import UsageError
from ...engine.learner import Batch
from ...networks.fitting import Maker, network_for
from .supervised import Criterion, Supervised, weighted_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...data.spec import Spec

USUAL = {"image": ("random_shift",), "table": ("gaussian_noise",)}


@method("maxup", year=2020, paper="arXiv:2002.09024", topics=("regularization", "augmentation"))
class MaxUp(Supervised):
    r"""MaxUp: the mean over samples of the largest loss among `copies` augmented copies of each.

    $\frac{1}{n} \sum_i \max_k L(f(x_{ik}), y_i)$, $x_{ik}$ drawn anew each step; the gradient goes through
    the worst copy alone. One copy is ordinary augmentation. A step costs as many passes as there are copies.
    views: augmentations that make copies, each row by itself; by default shifts of images, noise for tables.
    Errors: `UsageError` for less than one copy, and for what mixes rows.
    """

    def __init__(
        self,
        network: nn.Module,
        augment: nn.Module,
        copies: int = 4,
        task: str = "classification",
        loss: Criterion | None = None,
        penalty: nn.Module | None = None,
    ):
        super().__init__(network, task, loss, penalty)
        if copies < 1:
            raise UsageError(f"copies={copies}: at least one copy of a sample is learned")
        if any(getattr(part, "mixes", False) for part in augment.modules()):
            raise UsageError("maxup compares copies of one sample: take augmentations that mix no rows")
        if self._unreduced[0] is None:
            raise UsageError(
                f"maxup compares losses of samples, and {self.criterion} knows no reduction='none'"
            )
        self.augment, self.copies = augment, copies

    @classmethod
    def for_data(  # type: ignore[override]
        cls,
        spec: "Spec",
        backbone: Maker = "mlp",
        views: "Choice | Sequence[Choice]" = "",
        copies: int = 4,
    ) -> Self:
        """A network by name or class, and augmentations by name."""
        if spec.modality not in USUAL:
            raise UsageError(f"maxup changes images or tables, and this data is {spec.modality}")
        made = chain(USUAL[spec.modality] if views == "" else views)
        return cls(network_for(spec, backbone), made, copies, spec.task)

    def mean_loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        """The mean over samples of the worst copy's loss; `prediction` has all copies of a row in a row."""
        prediction = self._column(prediction)
        target = batch[1].repeat_interleave(self.copies, 0)
        losses = self._per_sample(prediction, self._target(prediction, target))
        worst = losses.view(-1, self.copies).amax(1)  # (b,)
        return weighted_mean(worst, batch[2]) if len(batch) == 3 else worst.mean()

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The loss of augmented copies, and the penalty."""
        with torch.no_grad():
            x = self.augment(batch[0].repeat_interleave(self.copies, 0))  # (b · copies, ...)
        return super().loss(player, (x, *batch[1:]))
