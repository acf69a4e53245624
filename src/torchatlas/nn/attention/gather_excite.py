"""Gather-excite: what is gathered around a position weights it."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .gate import AbstractGate, bottleneck, mean_of_map, one_of

FORMS = ("theta_minus", "theta", "theta_plus")


@method(
    "genet",
    year=2018,
    paper="arXiv:1810.12348",
    aliases=("gather_excite",),
    topics=("vision",),
    tiny={"channels": 4},
    variants={
        "genet_theta": {"form": "theta", "extent": 2, "tiny": {"channels": 4}},
        "genet_theta_plus": {"form": "theta_plus", "extent": 4, "tiny": {"channels": 4}},
    },
)
class GatherExcite(AbstractGate):
    r"""GENet (gather-excite): a channel at a position is weighted by what it holds around there.

    $x · \sigma(g)$: g is gathered over `extent` positions and brought back to the map's size by its nearest.
    extent 0: over the whole map. What form says: "theta_minus": no parameters; means over windows of side 2
    extent - 1, extent apart; "theta": gathering is learned: depthwise 3×3 convolutions that halve the map
    until extent is reached, each with batch normalisation, ReLU between; over the whole map one depthwise
    convolution of its `size`; "theta_plus": as theta, and two 1×1 convolutions mix channels, through a
    sixteenth of them.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for other forms, and for theta
    where the extent is no power of two above 1, or 0 without a size.
    """

    def __init__(
        self,
        channels: int,
        extent: int = 0,
        form: str = "theta_minus",
        size: tuple[int, int] | None = None,
        reduction: int = 16,
    ):
        super().__init__()
        self.extent, self.form = extent, one_of("form", form, FORMS)
        learned = self.form != "theta_minus"
        self.gather = self._gather(channels, extent, size) if learned else None
        self.mix = bottleneck(channels, reduction) if self.form == "theta_plus" else None

    @staticmethod
    def _gather(channels: int, extent: int, size: tuple[int, int] | None) -> nn.Sequential:
        if extent == 0:
            if size is None:
                raise UsageError("to learn how a whole map is gathered, say its size=(height, width)")
            one = nn.Conv2d(channels, channels, size, groups=channels, bias=False)
            return nn.Sequential(one, nn.BatchNorm2d(channels))
        if extent < 2 or extent & (extent - 1):
            raise UsageError(f"extent={extent} must be 0 or a power of two above 1: each step halves the map")
        layers: list[nn.Module] = []
        for step in range(int(math.log2(extent))):
            layers += [nn.ReLU()] if step else []
            layers += [
                nn.Conv2d(channels, channels, 3, 2, 1, groups=channels, bias=False),
                nn.BatchNorm2d(channels),
            ]
        return nn.Sequential(*layers)

    def gathered(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h', w')
        """What is gathered, at the gathered map's size."""
        if self.gather is not None:
            return self.gather(x)
        if self.extent == 0:
            return mean_of_map(x)
        side, step = 2 * self.extent - 1, self.extent
        return F.avg_pool2d(x, side, step, side // 2, count_include_pad=False)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w), or (b, c, 1, 1) over the whole map."""
        found = self.gathered(x)
        scores = (found if self.mix is None else self.mix(found)).sigmoid()
        return scores if self.extent == 0 else F.interpolate(scores, x.shape[2:], mode="nearest")
