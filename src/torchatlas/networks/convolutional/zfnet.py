"""ZFNet: AlexNet that looks closer, and SPP-net, whose pyramid takes images of any size."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import nn

from ...cards.card import method
from ...nn.choosing import Choice
from ...nn.pooling.pyramid import SpatialPyramidPool2d
from ..image import AbstractImageNetwork, KeyMap, Size, last_map
from ..layers import start_kaiming
from .alexnet import KEYS_PYTORCHCV, ResponseNorm, convolution, hidden_layers


@method(
    "zfnet",
    year=2013,
    paper="arXiv:1311.2901",
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (47, 47),
        "widths": (8, 8, 8, 8, 8),
        "hidden": (32, 32),
        "dropout": 0.1,
    },
    figures={"parameters": 62_357_608, "multiply_adds": 1_168_032_896},
    variants={
        "sppnet": {
            "pyramid": (6, 3, 2, 1),
            "year": 2014,
            "paper": "arXiv:1406.4729",
            "figures": {"parameters": 77_037_672, "multiply_adds": 1_182_712_960},
        },
    },
)
class ZFNet(AbstractImageNetwork):
    r"""ZFNet: AlexNet with a first convolution of 7×7/2 and a second of 5×5/2, neither of them in groups.

    Max pooling 3×3/2 keeps the cut window at the border, so that maps have 110, 55, 26, 13 and 6 pixels of
    224; response normalisation follows the first two poolings, or comes before them (`normalized_first`).
    `widths=(96, 256, 512, 1024, 512)` are those of its larger network. Weights start by Kaiming's rule, where
    the paper drew them with deviation 0.01.

    `sppnet` has spatial pyramid pooling in place of the last pooling: the largest of each cell of grids of
    6×6, 3×3, 2×2 and 1×1 (`pyramid`), so that the same weights take images of any size.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes).
    Errors: `UsageError` for images too small for all poolings.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"pytorchcv": KEYS_PYTORCHCV}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size = (224, 224),
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        normalized_first: bool = False,
        pyramid: Sequence[int] = (),
        hidden: Sequence[int] = (4096, 4096),
        activation: Choice = "relu",
        dropout: float = 0.5,
    ):
        a, b, c, d, e = widths
        stem = convolution(in_channels, a, 7, 2, 1, activation=activation)
        second = convolution(a, b, 5, 2, activation=activation)
        third = (
            convolution(b, c, 3, 1, 1, activation=activation),
            convolution(c, d, 3, 1, 1, activation=activation),
            convolution(d, e, 3, 1, 1, activation=activation),
        )
        stages = [nn.Sequential(_reduction(normalized_first), second)]
        stages.append(nn.Sequential(_reduction(normalized_first), *third))
        pool = SpatialPyramidPool2d(pyramid) if pyramid else nn.MaxPool2d(3, 2, ceil_mode=True)
        ends = () if pyramid else (pool,)
        cure = "leave input_size out and they are enlarged to 224x224"
        rows, columns = last_map("zfnet", in_channels, input_size, cure, stem, *stages, *ends)
        features = e * (sum(k * k for k in pyramid) if pyramid else rows * columns)
        dense = hidden_layers(features, hidden, activation, dropout)
        neck = nn.Sequential(pool, nn.Identity(), nn.Flatten(), *dense)
        super().__init__(stem, stages, neck, [features, *hidden][-1], num_classes)
        start_kaiming(self.stem, self.stages, self.neck, fan="in", dense=True)


def _reduction(normalized_first: bool) -> nn.Sequential:
    """Pooling and normalisation between two stages."""
    layers = (nn.MaxPool2d(3, 2, ceil_mode=True), ResponseNorm())
    return nn.Sequential(*layers[::-1] if normalized_first else layers)
