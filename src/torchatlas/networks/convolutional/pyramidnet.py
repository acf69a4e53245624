"""Pyramidal residual networks: a few more channels in every block, not twice as many in some."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention, attention as attended
from ...nn.choosing import Choice, chosen
from ...nn.pooling.windows import WindowMeans
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import AbstractImageNetwork, KeyMap, Size
from ..layers import blocks_of, conv_norm, mean_pool, start_kaiming
from .densenet import norm_conv

EXPANSION = 4  # channels out of a bottleneck, in those of its 3×3 convolution


class PyramidBlock(nn.Module):
    """Batch normalisation around every convolution, and no activation at the start or after the sum.

    Two 3×3 convolutions; as a bottleneck 1×1, 3×3, 1×1. The shortcut has no parameters: the mean of each 2×2
    pixels where the map is halved, and zeros for the new channels.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        bottleneck: bool = False,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        super().__init__()
        make = partial(norm_conv, activation=activation)
        if bottleneck:
            within = channels // EXPANSION
            layers = (*make(within, within, 3, stride), *make(within, channels))
            first = norm_conv(in_channels, within, activation=None)
        else:
            layers = (*make(channels, channels, 3),)
            first = norm_conv(in_channels, channels, 3, stride, activation=None)
        ends = (attended(attention, channels), *([StochasticDepth(drop_path)] if drop_path else []))
        self.body = nn.Sequential(*first, *layers)
        self.end = nn.Sequential(nn.BatchNorm2d(channels), *ends)
        self.pool = WindowMeans(2) if stride == 2 else nn.Identity()
        self.new = channels - in_channels

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c + new, ⌈h/stride⌉, ⌈w/stride⌉)
        around = F.pad(self.pool(x), (0, 0, 0, 0, 0, self.new))
        return around + self.end(self.body(x))


def pyramid(stages: Sequence[int], width: int, alpha: float) -> list[list[int]]:
    r"""The channels of each block of each stage: $D_k = w + \alpha k / N$, to the nearest whole number."""
    blocks = iter(range(1, sum(stages) + 1))
    return [[int(width + alpha * next(blocks) / sum(stages) + 0.5) for _ in range(n)] for n in stages]


def pyramid_stages(
    width: int, widths: Sequence[Sequence[int]], drop_path: float, block: partial[PyramidBlock]
) -> Iterator[nn.Sequential]:
    """Stages of blocks after `width` channels; each stage but the first halves the map."""
    rates = iter(drop_rates(sum(map(len, widths)), drop_path))
    for number, row in enumerate(widths):
        stage = nn.Sequential()
        for k, channels in enumerate(row, 1):
            stride = 2 if number and k == 1 else 1
            stage.add_module(f"block{k}", block(width, channels, stride, drop_path=next(rates)))
            width = channels
        yield stage


KEYS: KeyMap = (
    (r"^features\.init_block\.conv\.", "stem.0."),
    (r"^features\.init_block\.bn\.", "stem.1."),
    (r"^features\.post_activ\.bn\.", "neck.0."),
    (r"^features\.stage1\.", "stages.0."),
    (r"^features\.stage2\.", "stages.1."),
    (r"^features\.stage3\.", "stages.2."),
    (r"\.unit", ".block"),
    (r"\.body\.conv1\.bn\.", ".body.0."),
    (r"\.body\.conv1\.conv\.", ".body.1."),
    (r"\.body\.conv2\.bn\.", ".body.2."),
    (r"\.body\.conv2\.conv\.", ".body.4."),
    (r"\.body\.conv3\.bn\.", ".body.5."),
    (r"\.body\.conv3\.conv\.", ".body.7."),
    (r"(\.block\d+)\.bn\.", r"\1.end.0."),
    (r"^output\.", "head."),
)


@method(
    "pyramidnet110_a48_cifar",
    year=2016,
    paper="arXiv:1610.02915",
    aliases=("pyramidnet",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.nesterov": True,
        "optimizer.weight_decay": 1e-4,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={"num_classes": 3, "in_channels": 1, "input_size": (12, 12), "depth": 8, "alpha": 10},
    figures={"parameters": 1_772_706, "multiply_adds": 403_813_504},
    variants={
        "pyramidnet110_a84_cifar": {
            "alpha": 84,
            "figures": {"parameters": 3_904_446, "multiply_adds": 772_168_168},
        },
        "pyramidnet110_a270_cifar": {
            "alpha": 270,
            "figures": {"parameters": 28_485_477, "multiply_adds": 4_717_983_724},
        },
        "pyramidnet164_a270_cifar": {
            "depth": 164,
            "alpha": 270,
            "bottleneck": True,
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "depth": 11,
                "alpha": 10,
            },
            "figures": {"parameters": 27_216_021, "multiply_adds": 4_569_837_040},
        },
        "pyramidnet272_a200_cifar": {
            "depth": 272,
            "alpha": 200,
            "bottleneck": True,
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "depth": 11,
                "alpha": 10,
            },
            "figures": {"parameters": 26_210_842, "multiply_adds": 4_488_778_176},
        },
    },
)
class CifarPyramidNet(AbstractImageNetwork):
    r"""PyramidNet: the channels grow by the same step in each of N residual blocks, $D_k = 16 + \alpha k/N$.

    Three stages of as many blocks each, for small images. Blocks are two 3×3 convolutions (`depth` 6n + 2),
    or 1×1, 3×3 and 1×1 to four times $D_k$ with `bottleneck` (9n + 2); batch normalisation begins and ends
    them. $D_k$ is rounded to the nearest, as in its authors' program; their formula rounds down. `attention`
    ends each block's body, and `drop_path` is stochastic depth's last rate.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for another depth, and for α below 0: shortcuts cannot take channels away.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"pytorchcv": KEYS}

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: Size = (32, 32),
        depth: int = 110,
        alpha: float = 48,
        bottleneck: bool = False,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        step, times = (9, EXPANSION) if bottleneck else (6, 1)
        blocks = blocks_of(depth, step)
        if alpha < 0:
            raise UsageError(f"alpha={alpha} must be 0 or more: shortcuts cannot take channels away")
        widths = [[times * width for width in row] for row in pyramid((blocks,) * 3, 16, alpha)]
        block = partial(PyramidBlock, bottleneck=bottleneck, activation=activation, attention=attention)
        last = widths[-1][-1]
        neck = nn.Sequential(nn.BatchNorm2d(last), chosen(activation, last), *mean_pool())
        stem = conv_norm(in_channels, 16, 3, activation=None)
        super().__init__(stem, pyramid_stages(16, widths, drop_path, block), neck, last, num_classes)
        start_kaiming(self)
