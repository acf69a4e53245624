"""MobileNet: a depthwise convolution and a 1×1 one in place of each dense one."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import nn

from ...cards.card import method
from ...nn.choosing import Choice
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, divisible, mean_pool, start_kaiming

STAGES = ((64, 1), (128, 2), (256, 2), (512, 6), (1024, 2))  # channels, blocks; each but the first halves

# timm's names
KEYS: KeyMap = (
    (r"^conv_stem\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"^blocks\.(\d+)\.(\d+)\.", r"stages.\1.\2."),
    (r"\.conv_dw\.", ".0."),
    (r"\.bn1\.", ".1."),
    (r"\.conv_pw\.", ".3."),
    (r"\.bn2\.", ".4."),
    (r"^classifier\.", "head."),
)


def separable(
    in_channels: int,
    channels: int,
    stride: int = 1,
    activation: Choice = "relu",
    eps: float = 1e-5,
    groups: int = 1,
) -> nn.Sequential:
    """A depthwise 3×3 convolution and a 1×1 one (in groups), each normalised and activated."""
    return nn.Sequential(
        *conv_norm(in_channels, in_channels, 3, stride, in_channels, activation=activation, eps=eps),
        *conv_norm(in_channels, channels, groups=groups, activation=activation, eps=eps),
    )


@method(
    "mobilenetv1_100",
    year=2017,
    paper="arXiv:1704.04861",
    aliases=("mobilenet_v1",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 4e-5,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "width": 0.5,
        "table": ((16, 1), (32, 1), (32, 1)),
        "stem_width": 16,
    },
    figures={"parameters": 4_231_976, "multiply_adds": 568_740_352},
    variants={
        "mobilenetv1_075": {
            "width": 0.75,
            "figures": {"parameters": 2_585_560, "multiply_adds": 325_400_448},
        },
        "mobilenetv1_050": {
            "width": 0.5,
            "figures": {"parameters": 1_331_592, "multiply_adds": 149_497_088},
        },
        "mobilenetv1_025": {
            "width": 0.25,
            "figures": {"parameters": 470_072, "multiply_adds": 41_030_272},
        },
    },
)
class MobileNet(AbstractImageNetwork):
    r"""MobileNet: each dense convolution in two, k×k within each channel and 1×1 across all of them.

    That takes $\frac{1}{N} + \frac{1}{k^2}$ of the multiply-adds for N channels out: about a ninth for 3×3.
    `table` has the channels and the number of blocks of each stage; each stage but the first halves the map.
    All channels are times `width` (the paper's α), and multiples of 8. The paper's ρ is the size of the
    images. The paper's table halves the map in the last block too, which its other numbers say is a slip.
    Weights of timm were trained with `activation="relu6"`.
    Small images (64 pixels and less) keep their size in the stem and the second stage: 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        width: float = 1.0,
        table: Sequence[tuple[int, int]] = STAGES,
        stem_width: int = 32,
        activation: Choice = "relu",
        eps: float = 1e-5,
        dropout: float = 0.0,
    ):
        small, before = is_small(input_size), divisible(stem_width * width)
        stem = conv_norm(in_channels, before, 3, 1 if small else 2, activation=activation, eps=eps)
        stages = []
        for number, (channels, blocks) in enumerate(table):
            stage = nn.Sequential()
            for place in range(blocks):
                stride = 2 if place == 0 and number > (1 if small else 0) else 1
                stage.append(separable(before, divisible(channels * width), stride, activation, eps))
                before = divisible(channels * width)
            stages.append(stage)
        neck = nn.Sequential(*mean_pool(), nn.Dropout(dropout))
        super().__init__(stem, stages, neck, before, num_classes)
        start_kaiming(self)
