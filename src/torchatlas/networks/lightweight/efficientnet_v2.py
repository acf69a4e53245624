"""EfficientNetV2: dense convolutions in early blocks, where depthwise ones are slow."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from ...cards.card import method
from ...nn.choosing import Choice
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, divisible, start_kaiming
from .inverted_residual import KEYS_BLOCK, KEYS_TIMM, InvertedResidual, inverted_stages, repeated, wide_neck

Stage = tuple[bool, int, int, int, int]

STAGES: tuple[Stage, ...] = (  # of the paper's table 4: fused, expansion, channels, blocks, stride
    (True, 1, 24, 2, 1),
    (True, 4, 48, 4, 2),
    (True, 4, 64, 4, 2),
    (False, 4, 128, 6, 2),
    (False, 6, 160, 9, 1),
    (False, 6, 256, 15, 2),
)

FUSED = r"^(stages\.[012]\.\d+)"  # the blocks of all named sizes that are fused

# torchvision's names
KEYS: KeyMap = (
    (r"^features\.0\.", "stem."),
    *((rf"^features\.{stage + 1}\.(\d+)\.block", rf"stages.{stage}.\1.block") for stage in range(7)),
    (r"^features\.[78]\.", "neck.0."),
    (rf"{FUSED}\.block\.0\.", r"\1.body.fused."),
    (rf"{FUSED}\.block\.1\.", r"\1.body.project."),
    *KEYS_BLOCK,
    (r"^classifier\.1\.", "head."),
)

KEYS_OF_TIMM: KeyMap = (
    (r"^blocks\.([012])\.(\d+)\.", r"stages.\1.\2.body."),
    (rf"{FUSED}\.body\.conv(_exp)?\.", r"\1.body.fused.0."),
    (rf"{FUSED}\.body\.bn1\.", r"\1.body.fused.1."),
    (rf"{FUSED}\.body\.conv_pwl\.", r"\1.body.project.0."),
    (rf"{FUSED}\.body\.bn2\.", r"\1.body.project.1."),
    *KEYS_TIMM,
)


@method(
    "efficientnetv2_s",
    year=2021,
    paper="arXiv:2104.00298",
    aliases=("efficientnet_v2", "efficientnet_v2_s"),
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "table": ((True, 1, 8, 1, 1), (True, 2, 8, 1, 2), (False, 2, 16, 1, 2)),
        "stem_width": 8,
        "features": 32,
        "dropout": 0.2,
    },
    figures={"parameters": 21_458_488, "multiply_adds": 8_365_617_152, "at": {"input_size": (384, 384)}},
    variants={
        "efficientnetv2_m": {
            "table": (
                (True, 1, 24, 3, 1),
                (True, 4, 48, 5, 2),
                (True, 4, 80, 5, 2),
                (False, 4, 160, 7, 2),
                (False, 6, 176, 14, 1),
                (False, 6, 304, 18, 2),
                (False, 6, 512, 5, 1),
            ),
            "dropout": 0.3,
            "figures": {
                "parameters": 54_139_356,
                "multiply_adds": 24_582_460_384,
                "at": {"input_size": (480, 480)},
            },
        },
        "efficientnetv2_l": {
            "table": (
                (True, 1, 32, 4, 1),
                (True, 4, 64, 7, 2),
                (True, 4, 96, 7, 2),
                (False, 4, 192, 10, 2),
                (False, 6, 224, 19, 1),
                (False, 6, 384, 25, 2),
                (False, 6, 640, 7, 1),
            ),
            "stem_width": 32,
            "dropout": 0.4,
            "figures": {
                "parameters": 118_515_272,
                "multiply_adds": 56_079_699_008,
                "at": {"input_size": (480, 480)},
            },
        },
    },
)
class EfficientNetV2(AbstractImageNetwork):
    r"""EfficientNetV2: fused blocks, $x + W_2 \phi(K x)$ K a dense 3×3 convolution, before depthwise ones.

    `table` has the rows (fused, expansion, channels, blocks, stride) of the stages. A fused block has no
    squeeze-and-excitation and, where it does not widen, is $x + \phi(K x)$; the others have it through a
    quarter of the channels that the block is given, as in EfficientNet. All channels are times `width`, and
    multiples of 8. `drop_path` is stochastic depth's last rate. Maps are padded alike on both sides. The
    paper trains with images and regularisation that grow by and by. Weights of timm were trained with
    `eps=1e-5`.
    Small images (64 pixels and less) are not halved in the stem, nor the first time after it: 32×32 ends as
    4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"torchvision": KEYS, "timm": KEYS_OF_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        width: float = 1.0,
        table: Sequence[Stage] = STAGES,
        stem_width: int = 24,
        features: int = 1280,
        activation: Choice = "swish",
        eps: float = 1e-3,
        drop_path: float = 0.2,
        dropout: float = 0.2,
    ):
        small, first = is_small(input_size), divisible(stem_width * width)
        rows, before = [], first
        for fused, expansion, channels, blocks, stride in table:
            channels, squeeze = divisible(channels * width), 0.0 if fused else 0.25
            rows.append(repeated(before, expansion, channels, blocks, stride, 3, squeeze, activation, fused))
            before = channels
        stem = conv_norm(in_channels, first, 3, 1 if small else 2, activation=activation, eps=eps)
        block = partial(InvertedResidual, squeeze=(activation, "sigmoid"), eps=eps)
        stages = inverted_stages(block, first, rows, small, drop_path)
        neck = wide_neck(before, features, activation, eps, dropout)
        super().__init__(stem, stages, neck, features, num_classes)
        start_kaiming(self)
