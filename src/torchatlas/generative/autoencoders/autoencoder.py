"""The autoencoder: a code that its own decoder can read."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.learner import Batch, Learner
from ...networks.dense.mlp import MLP

if TYPE_CHECKING:
    from ...data.spec import Spec

Activation = str | Callable[[], nn.Module]


@method(
    "autoencoder",
    year=2006,
    paper="Hinton & Salakhutdinov, Science 313; Bourlard & Kamp, Biol. Cybern. 59 (1988)",
    topics=("representation",),
    recipe={"optimizer": "adam", "lr": 0.002, "batch_size": 64, "epochs": 50},
    tiny={"code": 2, "hidden": (16,)},
)
class Autoencoder(Learner):
    r"""Autoencoder: the error of $g(f(x))$ against $x$, through a code $f(x)$ narrower than the data.

    `encoder` is $f$, `decoder` is $g$ before its last squashing. With `binary`, for data in 0..1, the outputs
    are logits and the loss is the cross entropy $-\sum x \log z + (1 - x) \log (1 - z)$, else the squared
    error $\sum (z - x)^2$: summed over a sample's values, averaged over the batch. With affine maps alone and
    the squared error, the best code spans what principal components span.
    """

    scaling: ClassVar[str] = "unit"
    needs_target: ClassVar[bool] = False

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, binary: bool = True, shape: tuple[int, ...] = ()
    ):
        super().__init__()
        self.encoder, self.decoder, self.binary, self.shape = encoder, decoder, binary, shape

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        code: int = 32,
        hidden: int | Sequence[int] = (256,),
        activation: Activation = "relu",
    ) -> Self:
        """Perceptrons around a linear code of width `code`; the decoder's hidden layers mirror the encoder's.

        The loss is the cross entropy for images, the squared error for tables. Without hidden layers
        (`hidden=()`) both maps are affine.
        """
        return cls(*mirrored(spec, code, hidden, activation))

    def loss(self, player: str, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean reconstruction loss, with the mean squared error to record."""
        scores = self.scores(batch)
        return scores["loss"].mean(), {"squared_error": scores["squared_error"].mean()}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the loss, summed over the sample's values, and the mean of their squared errors."""
        x = batch[0].flatten(1)
        outputs = self.decoder(self.encoder(self.corrupted(batch[0])))  # (b, d)
        squared = (self._squashed(outputs) - x).square()
        if not self.binary:
            return {"loss": squared.sum(1), "squared_error": squared.mean(1)}
        losses = F.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(1)
        return {"loss": losses, "squared_error": squared.mean(1)}

    def corrupted(self, x: Tensor) -> Tensor:
        """What the encoder sees in training: the data itself."""
        return x

    def transform(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, code)
        """The code of each input."""
        return self.encoder(x)

    def decode(self, codes: Tensor) -> Tensor:  # (b, code) -> (b, ...)
        """The data that codes stand for, in the data's shape."""
        return self._squashed(self.decoder(codes)).reshape(-1, *self.shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The data decoded from its code; nothing is corrupted."""
        return self.decode(self.transform(x))

    def _squashed(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid() if self.binary else outputs


def mirrored(
    spec: "Spec", code: int, hidden: int | Sequence[int], activation: Activation
) -> tuple[nn.Module, nn.Module, bool, tuple[int, ...]]:
    """An encoder, its mirror image, whether the data is in 0..1, and the data's shape."""
    width = math.prod(spec.shape)
    wide = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    encoder, decoder = MLP(width, code, wide, activation), MLP(code, width, wide[::-1], activation)
    return encoder, decoder, spec.modality == "image", spec.shape
