"""Inception v2, which brought batch normalisation: two 3×3 convolutions in place of a 5×5."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice
from ..image import KeyMap, Size, is_small
from .googlenet import HALVED, LEAST
from .inception_blocks import MEAN, AbstractInception, Conv, Keep, Split, Units, block

# 1×1; 1×1 before 3×3, 3×3; 1×1 before two 3×3, each of these; the pooling, 1×1 after it
Row = tuple[int, int, int, int, int, str, int | None]
# Modules 3a and 3b; 3c to 4d; 4e to 5b. Those without a 1×1 branch halve the map; None is `projection`.
TABLE: tuple[tuple[Row, ...], ...] = (
    ((64, 64, 64, 64, 96, "mean", 32), (64, 64, 96, 64, 96, "mean", 64)),
    (
        (0, 128, 160, 64, 96, "max", 0),
        (224, 64, 96, 96, 128, "mean", 128),
        (192, 96, 128, 96, 128, "mean", 128),
        (160, 128, 160, 128, 160, "mean", None),
        (96, 128, 192, 160, 192, "mean", None),
    ),
    (
        (0, 128, 192, 192, 256, "max", 0),
        (352, 192, 320, 160, 224, "mean", 128),
        (352, 192, 320, 192, 224, "max", 128),
    ),
)


class CoveringMaxPool(nn.Module):
    """Max pooling 3×3/2 from the first pixel on, of as many windows as a padded convolution has."""

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, ⌈h/2⌉, ⌈w/2⌉)
        x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), value=-math.inf)
        return F.max_pool2d(x, 3, 2, ceil_mode=True)


COVERED = Keep(CoveringMaxPool)
POOLS = {"mean": MEAN, "max": Keep(partial(nn.MaxPool2d, 3, 1, 1))}


def module(row: Row, projection: int) -> Split:
    """Branches 1×1; 1×1, 3×3; 1×1, 3×3, 3×3; pooling, 1×1. Without the first and last it halves the map."""
    a, b, c, d, e, pool, f = row
    if not a:
        return block((Conv(b), Conv(c, 3, 2)), (Conv(d), Conv(e, 3), Conv(e, 3, 2)), (COVERED,))
    pooled = (POOLS[pool], Conv(projection if f is None else f))
    return block((Conv(a),), (Conv(b), Conv(c, 3)), (Conv(d), Conv(e, 3), Conv(e, 3)), pooled)


KEYS_PYTORCHCV: KeyMap = (
    (r"^features\.init_block\.conv1\.", "stem.0."),
    (r"^features\.init_block\.conv2\.conv1\.", "stem.2."),
    (r"^features\.init_block\.conv2\.conv2\.", "stem.3."),
    (r"^features\.stage1\.unit(\d)\.branches", r"stages.0.\1"),  # after the pooling
    *((rf"^features\.stage2\.unit{k + 1}\.branches", f"stages.1.{k}") for k in range(5)),
    *((rf"^features\.stage3\.unit{k + 1}\.branches", f"stages.2.{k}") for k in range(3)),
    (r"\.branch4\.conv\.", ".3.1."),
    (r"\.branch1\.(?=conv\.|bn\.)", ".0.0."),
    *((rf"\.branch{k + 1}\.", f".{k}.") for k in range(3)),
    *((rf"\.conv{k + 1}\.", f".{k}.") for k in range(3)),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^output\.", "head."),
)


@method(
    "inception_v2",
    year=2015,
    paper="arXiv:1502.03167",
    aliases=("bninception",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 1e-4,
        "lr": 0.05,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "table": (
            ((64, 64, 64, 64, 96, "mean", 32),),
            ((0, 128, 160, 64, 96, "max", 0),),
            ((352, 192, 320, 192, 224, "max", 128),),
        ),
        "width": 0.0625,
    },
    figures={"parameters": 11_194_984, "multiply_adds": 2_018_851_840},
    variants={
        "bninception_caffe": {
            "projection": 128,
            "bias": True,
            "figures": {"parameters": 11_295_240, "multiply_adds": 2_032_600_064},
        },
    },
)
class InceptionV2(AbstractInception):
    r"""Inception v2: ten modules of 1×1, 3×3, twice 3×3 and pooling, batch normalised; also BN-Inception.

    Unlike GoogLeNet, two 3×3 convolutions see the 5×5 pixels, pooling branches mostly take the mean, and
    modules 3c and 4e halve the map themselves. `table` has a row of channels for each module (see `Row`),
    `width` multiplies all of them. `bninception_caffe` is the layout of Caffe's trained weights: modules 4c
    and 4d keep 128 channels of their pooling (`projection`) in place of 96, and convolutions have a `bias`.
    The name also stands for another network, of a later paper.
    Small images (64 pixels and less) meet a 3×3 stem without pooling, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size from 8×8 fits.
    Errors: `UsageError` for smaller images.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"pytorchcv": KEYS_PYTORCHCV}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        table: Sequence[Sequence[Row]] = TABLE,
        width: float = 1.0,
        projection: int = 96,
        bias: bool = False,
        activation: Choice = "relu",
        dropout: float = 0.2,
    ):
        if input_size is not None and min(input_size) < LEAST:
            raise UsageError(
                f"inception_v2 needs images of at least {LEAST}x{LEAST}: enlarge those of {input_size}"
            )
        first = (Conv(64, 3),) if is_small(input_size) else (Conv(64, 7, 2), HALVED)
        stages = [[module(row, projection) for row in rows] for rows in table]
        super().__init__(
            in_channels,
            (*first, Conv(64), Conv(192, 3)),
            [[HALVED, *stages[0]], *stages[1:]],
            Units(width, bias=bias, eps=1e-5, activation=activation),
            num_classes,
            dropout,
        )
