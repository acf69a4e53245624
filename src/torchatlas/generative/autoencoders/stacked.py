"""The stacked denoising autoencoder: a deep classifier whose layers are trained one by one beforehand."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner
from .denoising import DenoisingAutoencoder

if TYPE_CHECKING:
    from ...data.spec import Spec

UNTOLD = -1


@method(
    "stacked_denoising_autoencoder",
    year=2010,
    paper="Vincent et al., Stacked denoising autoencoders, JMLR 11; Bengio et al., NIPS 2006",
    aliases=("sdae",),
    topics=("classification", "representation"),
    recipe={"optimizer": "adam", "lr": 0.001, "batch_size": 64, "epochs": 60},
    tiny={"hidden": (8, 6), "pretraining": 1},
)
class StackedDenoisingAutoencoder(Learner):
    r"""Stacked denoising autoencoder: greedy layers, then all of them fine-tuned with a softmax on top.

    Layer k is a denoising autoencoder of what the layers below make of clean data; they stand still, and only
    its own input is corrupted. Then the decoders are left behind, and encoders and head learn the classes
    without corruption. Each layer has `pretraining` epochs, all of them together at most half of the
    training; longer training, asked for when a run goes on, lengthens the fine-tuning alone.
    Scores are the reconstruction of the layer in training, then cross entropy and accuracy. A batch is (x, y)
    or (x, y, weight); weights count in every stage.
    """

    scaling: ClassVar[str] = "unit"
    ends: Tensor
    stage: Tensor

    def __init__(self, layers: Sequence[DenoisingAutoencoder], head: nn.Module, pretraining: float = 15):
        super().__init__()
        self.layers, self.head, self.pretraining = nn.ModuleList(layers), head, pretraining
        names = [f"layer{k + 1}" for k in range(len(layers))]
        encoders = tuple(f"layers.{k}.encoder" for k in range(len(layers)))
        self.players: Mapping[str, tuple[str, ...]] = {  # type: ignore[misc]
            **{name: (f"layers.{k}",) for k, name in enumerate(names)},
            "all": (*encoders, "head"),
        }
        self.register_buffer("ends", torch.full((len(layers),), UNTOLD))  # the step at which a layer is done
        self.register_buffer("stage", torch.tensor(len(layers)))  # of the last turn: a layer, or all
        self._ends: list[int] = []

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        hidden: int | Sequence[int] = (256, 256, 256),
        corruption: str = "masking",
        level: float | Sequence[float] = (0.1, 0.2, 0.3),
        pretraining: float = 15,
    ) -> Self:
        """Sigmoid layers of widths `hidden`; `level` is one number or one for each layer (the last again)."""
        if spec.task != "classification":
            raise UsageError(f"stacked_denoising_autoencoder learns classes; this data's task is {spec.task}")
        widths = [math.prod(spec.shape), *((hidden,) if isinstance(hidden, int) else hidden)]
        levels = (level,) if isinstance(level, int | float) else tuple(level)
        layers = []
        for k, (wide, narrow) in enumerate(pairwise(widths)):
            encoder = nn.Sequential(nn.Flatten(), _affine(wide, narrow), nn.Sigmoid())
            binary = k > 0 or spec.modality == "image"
            noise = levels[min(k, len(levels) - 1)]
            layers.append(
                DenoisingAutoencoder(encoder, _affine(narrow, wide), binary, (wide,), corruption, noise)
            )
        if not layers:
            raise UsageError("stacked_denoising_autoencoder needs at least one hidden layer")
        return cls(layers, nn.Linear(widths[-1], spec.outputs), pretraining)

    def planned(self, steps: int, steps_per_epoch: int) -> None:
        """When each layer ends; what a checkpoint says of it stays."""
        if bool((self.ends == UNTOLD).all()):
            count = len(self.layers)
            each = min(int(self.pretraining * steps_per_epoch), steps // (2 * count))
            self.ends.copy_(each * torch.arange(1, count + 1))
        self._ends = self.ends.tolist()

    def turns(self, step: int) -> Sequence[str]:
        """The layer whose stage it is; then all. Untold of a plan, it fine-tunes."""
        return (next((f"layer{k + 1}" for k, end in enumerate(self._ends) if step < end), "all"),)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The layer's reconstruction loss, or the classifier's cross entropy."""
        if player == "all":
            losses = F.cross_entropy(self(batch[0]), batch[1], reduction="none")
        else:
            losses = self._reconstruction(int(player.removeprefix("layer")) - 1, batch[0])
        if len(batch) < 3:
            return losses.mean()
        return (batch[2] * losses).sum() / batch[2].sum().clamp_min(torch.finfo(losses.dtype).tiny)

    def share(self, batch: Batch) -> Tensor | float:
        """A micro-batch weighs as much as its samples do."""
        return batch[2].sum() if len(batch) == 3 else super().share(batch)

    def updated(self, player: str, step: int) -> None:
        """Keep whose turn it was."""
        self.stage.fill_(list(self.players).index(player))

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the reconstruction loss of the layer in training, or cross entropy and accuracy."""
        stage = int(self.stage)
        if stage < len(self.layers):
            return {"reconstruction": self._reconstruction(stage, batch[0])}
        logits = self(batch[0])
        losses = F.cross_entropy(logits, batch[1], reduction="none")
        return {"loss": losses, "accuracy": (logits.argmax(1) == batch[1]).float()}

    def forward(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, classes)
        """Logits."""
        return self.head(self.transform(x))

    def transform(self, x: Tensor, layers: int | None = None) -> Tensor:  # (b, ...) -> (b, width)
        """The clean features above so many layers; above all of them by default."""
        for layer in list(self.layers)[:layers]:
            x = cast(DenoisingAutoencoder, layer).encoder(x)
        return x

    def predict(self, x: Tensor) -> Tensor:
        """Class probabilities (batch, classes)."""
        return self(x).softmax(1)

    def _reconstruction(self, k: int, x: Tensor) -> Tensor:  # -> (b,)
        with torch.no_grad():
            below = self.transform(x, k)
        return cast(DenoisingAutoencoder, self.layers[k]).scores((below,))["loss"]


def _affine(wide: int, narrow: int) -> nn.Linear:
    """Xavier's rule for sigmoids, whose slope is 1/4."""
    layer = nn.Linear(wide, narrow)
    nn.init.xavier_uniform_(layer.weight, 4.0)
    nn.init.zeros_(layer.bias)
    return layer
