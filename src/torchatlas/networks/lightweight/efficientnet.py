"""EfficientNet: depth, width and image size grow together."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil
from typing import ClassVar

from ...cards.card import method
from ...nn.choosing import Choice
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, divisible, start_kaiming
from .inverted_residual import KEYS_BLOCK, KEYS_TIMM, InvertedResidual, inverted_stages, repeated, wide_neck

STAGES = (  # of the paper's table 1: expansion, channels, blocks, stride, kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)

# torchvision's names
KEYS: KeyMap = (
    (r"^features\.0\.", "stem."),
    *((rf"^features\.{stage + 1}\.", f"stages.{stage}.") for stage in range(len(STAGES))),
    (rf"^features\.{len(STAGES) + 1}\.", "neck.0."),
    *KEYS_BLOCK,
    (r"^classifier\.1\.", "head."),
)


@method(
    "efficientnet_b0",
    year=2019,
    paper="arXiv:1905.11946",
    aliases=("efficientnet",),
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
        "width": 1.0,
        "depth": 1.0,
        "table": ((1, 8, 1, 1, 3), (3, 8, 1, 2, 5), (3, 16, 1, 2, 3)),
        "stem_width": 8,
        "features": 32,
        "dropout": 0.2,
    },
    figures={"parameters": 5_288_548, "multiply_adds": 385_814_752},
    variants={
        "efficientnet_b1": {
            "depth": 1.1,
            "figures": {
                "parameters": 7_794_184,
                "multiply_adds": 686_802_832,
                "at": {"input_size": (240, 240)},
            },
        },
        "efficientnet_b2": {
            "width": 1.1,
            "depth": 1.2,
            "dropout": 0.3,
            "figures": {
                "parameters": 9_109_994,
                "multiply_adds": 993_561_872,
                "at": {"input_size": (260, 260)},
            },
        },
        "efficientnet_b3": {
            "width": 1.2,
            "depth": 1.4,
            "dropout": 0.3,
            "figures": {
                "parameters": 12_233_232,
                "multiply_adds": 1_827_141_392,
                "at": {"input_size": (300, 300)},
            },
        },
        "efficientnet_b4": {
            "width": 1.4,
            "depth": 1.8,
            "dropout": 0.4,
            "figures": {
                "parameters": 19_341_616,
                "multiply_adds": 4_393_771_024,
                "at": {"input_size": (380, 380)},
            },
        },
        "efficientnet_b5": {
            "width": 1.6,
            "depth": 2.2,
            "dropout": 0.4,
            "figures": {
                "parameters": 30_389_784,
                "multiply_adds": 10_266_384_752,
                "at": {"input_size": (456, 456)},
            },
        },
        "efficientnet_b6": {
            "width": 1.8,
            "depth": 2.6,
            "dropout": 0.5,
            "figures": {
                "parameters": 43_040_704,
                "multiply_adds": 19_067_593_536,
                "at": {"input_size": (528, 528)},
            },
        },
        "efficientnet_b7": {
            "width": 2.0,
            "depth": 3.1,
            "dropout": 0.5,
            "figures": {
                "parameters": 66_347_960,
                "multiply_adds": 37_745_884_192,
                "at": {"input_size": (600, 600)},
            },
        },
    },
)
class EfficientNet(AbstractImageNetwork):
    r"""EfficientNet: one searched network; larger ones are deeper, wider, and see larger images all at once.

    By φ steps the depth grows to $1.2^\phi$, the width to $1.1^\phi$, the image's side to $1.15^\phi$.
    Doubling the depth doubles the multiply-adds, and width or size four times, so that φ + 1 has about twice
    those of φ. `table` has the rows (expansion, channels, blocks, stride, kernel) of the stages, whose
    inverted residual blocks have squeeze-and-excitation through a quarter of the channels that the block is
    given. Channels are times `width`, to multiples of 8, and blocks times `depth`, to the next whole number;
    `b0` to `b7` have the paper's values. `drop_path` is stochastic depth's last rate. Maps are padded alike
    on both sides. Weights of torchvision's b0 to b4 and of timm's were trained with `eps=1e-5`.
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
        depth: float = 1.0,
        table: Sequence[tuple[int, int, int, int, int]] = STAGES,
        stem_width: int = 32,
        features: int = 1280,
        activation: Choice = "swish",
        eps: float = 1e-3,
        drop_path: float = 0.2,
        dropout: float = 0.2,
    ):
        small, first = is_small(input_size), divisible(stem_width * width)
        rows, before = [], first
        for expansion, channels, blocks, stride, kernel in table:
            channels, blocks = divisible(channels * width), ceil(blocks * depth)
            rows.append(repeated(before, expansion, channels, blocks, stride, kernel, 0.25, activation))
            before = channels
        stem = conv_norm(in_channels, first, 3, 1 if small else 2, activation=activation, eps=eps)
        block = partial(InvertedResidual, squeeze=(activation, "sigmoid"), eps=eps)
        stages = inverted_stages(block, first, rows, small, drop_path)
        features = divisible(features * width)
        neck = wide_neck(before, features, activation, eps, dropout)
        super().__init__(stem, stages, neck, features, num_classes)
        start_kaiming(self)
