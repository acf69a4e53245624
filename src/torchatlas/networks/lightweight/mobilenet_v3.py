"""MobileNetV3: inverted residual blocks as a search chose them, with hard swish and gates."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby

from torch import nn

from ...cards.card import method
from ...nn.attention.gate import one_of
from ...nn.choosing import Choice, chosen
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, divisible, mean_pool, start_kaiming
from .inverted_residual import KEYS_BLOCK, KEYS_TIMM, InvertedResidual, Row, inverted_stages, numbered

Line = tuple[int, int, int, bool, bool, int]  # kernel, channels within and out, gate, hard swish, stride

LARGE: tuple[Line, ...] = (  # the paper's table 1
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)

SMALL: tuple[Line, ...] = (  # its table 2
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)

TABLES = {"large": LARGE, "small": SMALL}


def keys(counts: Sequence[int]) -> dict[str, KeyMap]:
    """The names of torchvision, which numbers the blocks one after another, and of timm."""
    last = rf"^blocks\.{len(counts)}\.0\."
    return {
        "torchvision": (
            *numbered(counts),
            *KEYS_BLOCK,
            (r"^classifier\.0\.", "neck.3."),
            (r"^classifier\.3\.", "head."),
        ),
        "timm": (
            (r"^conv_head\.", "neck.3."),
            (rf"{last}conv\.", "neck.0.0."),
            (rf"{last}bn1\.", "neck.0.1."),
            *KEYS_TIMM,
        ),
    }


@method(
    "mobilenetv3_large_100",
    year=2019,
    paper="arXiv:1905.02244",
    aliases=("mobilenet_v3", "mobilenet_v3_large"),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 1e-5,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "table": (
            (3, 8, 8, False, False, 1),
            (5, 16, 8, True, True, 2),
            (3, 24, 16, True, True, 2),
        ),
        "stem_width": 8,
        "features": 32,
    },
    figures={"parameters": 5_483_032, "multiply_adds": 216_589_760},
    variants={
        "mobilenetv3_small_100": {
            "table": "small",
            "features": 1024,
            "aliases": ("mobilenet_v3_small",),
            "figures": {"parameters": 2_542_856, "multiply_adds": 56_510_400},
        },
    },
)
class MobileNetV3(AbstractImageNetwork):
    r"""MobileNetV3: inverted residual blocks of several kinds, ReLU in early and hard swish in late ones.

    $x \min(\max(x + 3, 0), 6) / 6$ is hard swish; the gates of squeeze-and-excitation are its second factor,
    behind a quarter of the block's inner channels, a multiple of 8. The mean over the map is taken before
    the layer to the `features`, which so costs almost nothing. `table` is "large", "small", or lines of
    blocks (kernel, channels within, channels out, gate, hard swish, stride); a stage is what has one number
    of channels. All channels but the features are times `width`, and multiples of 8. `activation` stands in
    place of hard swish, `early_activation` of ReLU. `drop_path` is stochastic depth's last rate. Weights of
    timm were trained with `eps=1e-5`.
    Small images (64 pixels and less) are not halved in the stem, nor the first time after it: 32×32 ends as
    4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for a table of another name.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        width: float = 1.0,
        table: str | Sequence[Line] = "large",
        stem_width: int = 16,
        features: int = 1280,
        activation: Choice = "hardswish",
        early_activation: Choice = "relu",
        eps: float = 1e-3,
        drop_path: float = 0.0,
        dropout: float = 0.2,
    ):
        small, first = is_small(input_size), divisible(stem_width * width)
        table = TABLES[one_of("table", table, tuple(TABLES))] if isinstance(table, str) else table

        def row(line: Line) -> Row:
            kernel, within, channels, gate, hard, stride = line
            within, active = divisible(within * width), activation if hard else early_activation
            squeezed = divisible(within / 4) if gate else 0
            return Row(divisible(channels * width), within, kernel, stride, squeezed, active)

        rows = [[*map(row, stage)] for _, stage in groupby(table, lambda line: line[2])]
        stem = conv_norm(in_channels, first, 3, 1 if small else 2, activation=activation, eps=eps)
        block = partial(InvertedResidual, squeeze=("relu", "hardsigmoid"), eps=eps)
        stages = inverted_stages(block, first, rows, small, drop_path)
        last = divisible(table[-1][1] * width)
        neck = nn.Sequential(
            conv_norm(rows[-1][-1].channels, last, activation=activation, eps=eps),
            *mean_pool(),
            nn.Linear(last, features),
            chosen(activation, features),
            nn.Dropout(dropout),
        )
        super().__init__(stem, stages, neck, features, num_classes)
        self.key_maps = keys([len(stage) for stage in rows])  # type: ignore[misc]
        start_kaiming(self)
