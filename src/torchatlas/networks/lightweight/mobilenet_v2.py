"""MobileNetV2: blocks that are wide within and linear where they are narrow."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from ...cards.card import method
from ...nn.choosing import Choice
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, divisible, start_kaiming
from .inverted_residual import KEYS_TIMM, InvertedResidual, inverted_stages, numbered, repeated, wide_neck

STAGES = (  # of the paper's table 2: expansion, channels, blocks, stride
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

# torchvision's names
KEYS: KeyMap = (
    *numbered([blocks for _, _, blocks, _ in STAGES]),
    (r"^stages\.0\.0\.conv\.0\.", "stages.0.0.body.depthwise."),
    (r"^stages\.0\.0\.conv\.1\.", "stages.0.0.body.project.0."),
    (r"^stages\.0\.0\.conv\.2\.", "stages.0.0.body.project.1."),
    (r"\.conv\.0\.", ".body.expand."),
    (r"\.conv\.1\.", ".body.depthwise."),
    (r"\.conv\.2\.", ".body.project.0."),
    (r"\.conv\.3\.", ".body.project.1."),
    (r"^classifier\.1\.", "head."),
)


@method(
    "mobilenetv2_100",
    year=2018,
    paper="arXiv:1801.04381",
    aliases=("mobilenet_v2",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 4e-5,
        "lr": 0.05,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "width": 1.0,
        "table": ((1, 8, 1, 1), (3, 8, 1, 2), (3, 16, 1, 2)),
        "stem_width": 8,
        "features": 32,
    },
    figures={"parameters": 3_504_872, "multiply_adds": 300_774_272},
    variants={
        "mobilenetv2_140": {"width": 1.4, "figures": {"parameters": 6_108_776, "multiply_adds": 582_195_824}},
    },
)
class MobileNetV2(AbstractImageNetwork):
    r"""MobileNetV2: inverted residual blocks, joined at their narrow ends, $x + W_2 \phi(D \phi(W_1 x))$.

    W₁ widens the channels `expansion` times, D is a depthwise 3×3 convolution, and W₂ narrows them without
    an activation after it, which would lose what few channels hold. `table` has the rows (expansion,
    channels, blocks, stride) of the stages. All channels are times `width`, and multiples of 8; the
    `features` of the last 1×1 convolution only where that is above 1. `drop_path` is stochastic depth's last
    rate.
    Small images (64 pixels and less) are not halved in the stem, nor the first time after it: 32×32 ends as
    4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"torchvision": KEYS, "timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        width: float = 1.0,
        table: Sequence[tuple[int, int, int, int]] = STAGES,
        stem_width: int = 32,
        features: int = 1280,
        activation: Choice = "relu6",
        eps: float = 1e-5,
        drop_path: float = 0.0,
        dropout: float = 0.2,
    ):
        small, first = is_small(input_size), divisible(stem_width * width)
        rows, before = [], first
        for expansion, channels, blocks, stride in table:
            channels = divisible(channels * width)
            rows.append(repeated(before, expansion, channels, blocks, stride, activation=activation))
            before = channels
        stem = conv_norm(in_channels, first, 3, 1 if small else 2, activation=activation, eps=eps)
        stages = inverted_stages(partial(InvertedResidual, eps=eps), first, rows, small, drop_path)
        features = divisible(features * max(1.0, width))
        neck = wide_neck(before, features, activation, eps, dropout)
        super().__init__(stem, stages, neck, features, num_classes)
        start_kaiming(self)
