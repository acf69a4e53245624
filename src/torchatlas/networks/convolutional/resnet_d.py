"""Residual networks with a deep stem and a mean before each shortcut's projection."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from torch import nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention
from ...nn.attention.squeeze_excitation import SE
from ...nn.choosing import Choice
from ...nn.pooling.windows import WindowMeans
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, mean_pool, start_kaiming
from .resnet import KEYS, Bottleneck, residual_stages


def deep_stem(
    in_channels: int, channels: int, small: bool, activation: Choice = "relu", pool: bool = True
) -> nn.Sequential:
    """Three 3×3 convolutions, the first two with half the channels, and max pooling.

    The first and the pooling halve the map. A fourth convolution does so without `pool`. For small images
    nothing is halved or pooled.
    """
    half, stride = channels // 2, 1 if small else 2
    stem = nn.Sequential()
    for before, after, step in ((in_channels, half, stride), (half, half, 1), (half, channels, 1)):
        stem.extend(conv_norm(before, after, 3, step, activation=activation))
    if not pool:
        return stem.extend(conv_norm(channels, channels, 3, stride, activation=activation))
    return stem if small else stem.append(nn.MaxPool2d(3, 2, 1))


def mean_shortcut(in_channels: int, channels: int, stride: int) -> nn.Module:
    """The mean of each stride × stride pixels, and a normalised 1×1 convolution, so that all pixels count."""
    mean = WindowMeans(stride) if stride > 1 else nn.Identity()
    return nn.Sequential(mean, *conv_norm(in_channels, channels, 1, activation=None))


# timm's names, before those of every ResNet; squeeze-and-excitation stands behind the body's eight layers.
STEM_KEYS: KeyMap = (
    (r"^conv1\.", "stem."),
    (r"^bn1\.", "stem.7."),
    (r"^maxpool\.0\.", "stem.9."),
    (r"^maxpool\.1\.", "stem.10."),
)
KEYS_TIMM: KeyMap = (
    *STEM_KEYS,
    (r"\.se\.fc1\.", ".body.8.excite.0."),
    (r"\.se\.fc2\.", ".body.8.excite.2."),
    *KEYS,
)


@method(
    "resnet50d",
    year=2018,
    paper="arXiv:1812.01187",
    aliases=("resnet_d",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.nesterov": True,
        "optimizer.weight_decay": 1e-4,
        "lr": 0.02,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "layers": (1, 1),
        "width": 8,
    },
    figures={"parameters": 25_576_264, "multiply_adds": 4_328_824_832},
    variants={
        "resnet101d": {
            "layers": (3, 4, 23, 3),
            "figures": {"parameters": 44_568_392, "multiply_adds": 8_041_046_016},
        },
        "resnet152d": {
            "layers": (3, 8, 36, 3),
            "figures": {"parameters": 60_212_040, "multiply_adds": 11_753_267_200},
        },
        "resnetrs50": {
            "aliases": ("resnet_rs",),
            "year": 2021,
            "paper": "arXiv:2103.07579",
            "stem_pool": False,
            "squeeze": 4,
            "figures": {
                "parameters": 35_691_912,
                "multiply_adds": 2_278_629_376,
                "at": {"input_size": (160, 160)},
            },
        },
        "resnetrs101": {
            "year": 2021,
            "paper": "arXiv:2103.07579",
            "layers": (3, 4, 23, 3),
            "stem_pool": False,
            "squeeze": 4,
            "figures": {
                "parameters": 63_618_696,
                "multiply_adds": 6_012_157_952,
                "at": {"input_size": (192, 192)},
            },
        },
        "resnetrs152": {
            "year": 2021,
            "paper": "arXiv:2103.07579",
            "layers": (3, 8, 36, 3),
            "stem_pool": False,
            "squeeze": 4,
            "figures": {
                "parameters": 86_621_576,
                "multiply_adds": 15_527_886_848,
                "at": {"input_size": (256, 256)},
            },
        },
        "resnetrs200": {
            "year": 2021,
            "paper": "arXiv:2103.07579",
            "layers": (3, 24, 36, 3),
            "stem_pool": False,
            "squeeze": 4,
            "figures": {
                "parameters": 93_209_992,
                "multiply_adds": 20_093_386_752,
                "at": {"input_size": (256, 256)},
            },
        },
        "resnetrs270": {
            "year": 2021,
            "paper": "arXiv:2103.07579",
            "layers": (4, 29, 53, 4),
            "stem_pool": False,
            "squeeze": 4,
            "figures": {
                "parameters": 129_861_448,
                "multiply_adds": 26_950_189_056,
                "at": {"input_size": (256, 256)},
            },
        },
    },
)
class ResNetD(AbstractImageNetwork):
    r"""ResNet-D: bottlenecks after three 3×3 convolutions; shortcuts take the mean before they project.

    `layers` tells the blocks of each stage; inside bottlenecks the stages are `width`, twice, … channels
    wide, and they give four times as many. The stem stands in place of a 7×7 convolution; a
    shortcut that halves the map loses no pixel. ResNet-RS (`resnetrs50` …) halves the map a second time by
    a fourth 3×3 convolution in place of the pooling (`stem_pool`), and ends each body with
    squeeze-and-excitation to 1/`squeeze` of the channels. Its networks grow in depth, and the images they
    are given more slowly: the figures are told at its sizes, from 160 to 256 pixels.
    `attention` ends each block's body, `drop_path` is stochastic depth's last rate, and `dropout` stands
    before the head.
    Small images (64 pixels and less) meet a stem that halves nothing, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for an attention beside `squeeze`, and for an odd width.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        stem_pool: bool = True,
        squeeze: int = 0,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        if width % 2:
            raise UsageError(f"width={width} must be even: the stem begins with half of it")
        if squeeze and attention is not None:
            raise UsageError(f"squeeze={squeeze} is an attention: for {attention!r} say squeeze=0")
        ends = partial(SE, reduction=squeeze, bias=True) if squeeze else attention
        block = partial(Bottleneck, shortcut=mean_shortcut, activation=activation, attention=ends)
        table = [(blocks, 4 * width * 2**k) for k, blocks in enumerate(layers)]
        stem = deep_stem(in_channels, width, is_small(input_size), activation, stem_pool)
        stages = residual_stages(block, width, table, drop_path)
        neck = nn.Sequential(*mean_pool(), nn.Dropout(dropout))
        super().__init__(stem, stages, neck, table[-1][1], num_classes)
        start_kaiming(self)
