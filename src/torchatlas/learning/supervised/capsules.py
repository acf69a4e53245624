"""Capsules that are to hold what their image looks like: a decoder draws it again from the true class's."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.learner import Batch
from ...losses.margin import MarginLoss, presence
from ...networks.capsule.capsnet import lengths
from ...networks.dense.mlp import MLP
from ...networks.fitting import Maker, network_for
from .supervised import Criterion, Supervised, weighted_mean

if TYPE_CHECKING:
    from ...data.spec import Spec


@method(
    "capsnet",
    year=2017,
    paper="arXiv:1710.09829",
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={"hidden": (8,)},
    figures={"parameters": 8_215_568},
)
class CapsNet(Supervised):
    r"""CapsNet: a capsule network trained by margin loss, and by drawing the image again from its capsules.

    $L_\text{margin} + 0.0005 \|x - D(v_y)\|^2$: the decoder D, two layers of ReLU and one of sigmoids, sees
    all capsules, of which only the true class's is not zero. The error is a sum over pixels of 0..1.
    `reconstruct` takes the longest capsule. Scores and predictions leave the decoder out.
    A network is any that gives `capsules(x)`, (batch, classes, width), and has their lengths as scores; it
    says its `width`.
    Errors: `UsageError` for data without classes, tables, and networks without capsules.
    """

    scaling: ClassVar[str] = "unit"

    def __init__(
        self,
        network: nn.Module,
        decoder: nn.Module,
        reconstruction: float = 0.0005,
        loss: Criterion | None = None,
        penalty: nn.Module | None = None,
    ):
        super().__init__(network, "classification", MarginLoss() if loss is None else loss, penalty)
        self.decoder, self.reconstruction = decoder, reconstruction

    @classmethod
    def for_data(  # type: ignore[override]
        cls,
        spec: "Spec",
        backbone: Maker = "capsule_network",
        hidden: Sequence[int] = (512, 1024),
        reconstruction: float = 0.0005,
    ) -> Self:
        """A network of capsules by name or class, and a decoder with layers of so many units."""
        if spec.task != "classification":
            raise UsageError(f"capsnet has a capsule for each class, and this data's task is {spec.task}")
        network: Any = network_for(spec, backbone)
        if not hasattr(network, "capsules"):
            raise UsageError(f"{type(network).__name__} has no capsules to draw from: take capsule_network")
        codes = spec.outputs * network.width
        decoder = nn.Sequential(MLP(codes, math.prod(spec.shape), tuple(hidden)), nn.Sigmoid())
        return cls(network, decoder, reconstruction)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The margin loss and the drawing's squared error, by sample weights where the batch has them."""
        x, y = batch[:2]
        capsules = self.network.capsules(x)  # type: ignore[operator]
        errors = (self.drawn(capsules, y) - x.flatten(1)).square().sum(1)
        error = weighted_mean(errors, batch[2]) if len(batch) == 3 else errors.mean()
        return self.penalised(lengths(capsules), batch) + self.reconstruction * error

    def drawn(self, capsules: Tensor, y: Tensor) -> Tensor:  # (b, k, d) -> (b, pixels)
        """What the decoder makes of the capsules of classes y, the others set to zero."""
        seen = capsules * presence(y, capsules)[..., None]
        return self.decoder(seen.flatten(1))

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The image drawn again from its longest capsule, or from that of a class that is said."""
        capsules = self.network.capsules(x)  # type: ignore[operator]
        return self.drawn(capsules, lengths(capsules).argmax(1) if y is None else y).reshape(x.shape)
