"""The denoising autoencoder: clean data from corrupted data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .autoencoder import Activation, Autoencoder, mirrored

if TYPE_CHECKING:
    from ...data.spec import Spec

CORRUPTIONS = ("masking", "gaussian", "salt_and_pepper")


@method(
    "denoising_autoencoder",
    year=2008,
    paper="Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008",
    aliases=("dae",),
    topics=("representation", "denoising"),
    recipe={"optimizer": "adam", "lr": 0.002, "batch_size": 64, "epochs": 50},
    tiny={"code": 2, "hidden": (16,)},
)
class DenoisingAutoencoder(Autoencoder):
    r"""Denoising autoencoder: the error of $g(f(\tilde x))$ against $x$, where $\tilde x$ is $x$ corrupted.

    `corruption` is "masking" (a share `level` of the values becomes 0), "gaussian" (normal noise of standard
    deviation `level` is added) or "salt_and_pepper" (a share `level` becomes 0 or 1 by a coin). The loss
    counts all values, corrupted or not. Scores are of corrupted data too; `transform` and `reconstruct` take
    data as it is. With Gaussian noise, $(g(f(\tilde x)) - \tilde x) / \sigma^2$ learns the gradient of the
    noisy data's log-density.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        binary: bool = True,
        shape: tuple[int, ...] = (),
        corruption: str = "masking",
        level: float = 0.3,
    ):
        super().__init__(encoder, decoder, binary, shape)
        if corruption not in CORRUPTIONS:
            raise UsageError(f"corruption is {', '.join(CORRUPTIONS)}, not {corruption!r}")
        if level < 0 or (level > 1 and corruption != "gaussian"):
            raise UsageError(
                f"the level of {corruption} corruption is at least 0, a share at most 1: {level}"
            )
        self.corruption, self.level = corruption, level

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        code: int = 32,
        hidden: int | Sequence[int] = (256,),
        activation: Activation = "relu",
        corruption: str = "masking",
        level: float = 0.3,
    ) -> Self:
        """An autoencoder's perceptrons, trained on data corrupted in this way and to this level."""
        return cls(*mirrored(spec, code, hidden, activation), corruption, level)

    def corrupted(self, x: Tensor) -> Tensor:
        """Fresh noise on the data."""
        match self.corruption:
            case "masking":
                return x * (torch.rand_like(x) >= self.level)
            case "gaussian":
                return x + self.level * torch.randn_like(x)
        drawn = torch.rand_like(x)
        return torch.where(drawn < self.level, (drawn < self.level / 2).to(x.dtype), x)
