"""AdderNet: a residual network that measures distances in place of products."""

import math
from functools import partial

from torch import nn

from ...cards.card import method
from ...nn.attention.placing import Choice as Attention
from ...nn.choosing import Choice, chosen
from ...nn.convolutions.adder import AdderConv2d
from ..convolutional.resnet import AbstractResidualBlock, residual_stages
from ..image import AbstractImageNetwork, Size
from ..layers import blocks_of, conv_norm, mean_pool, start_kaiming

DISTANCE = (math.sqrt(0.5) + 1) / math.sqrt(math.pi)  # the mean of |max(0, x) - w| for normal numbers x and w


def adder_norm(
    in_channels: int, channels: int, kernel: int, stride: int = 1, eta: float | None = 0.2
) -> nn.Sequential:
    """An adder convolution and its normalisation.

    Distances are far below zero. The running statistics start at theirs for normal weights and rectified
    normal inputs, so that a block is alive in evaluation before any training too.
    """
    adder = AdderConv2d(in_channels, channels, kernel, stride, kernel // 2, eta=eta)
    norm, terms = nn.BatchNorm2d(channels), in_channels * kernel**2
    nn.init.constant_(norm.running_mean, -terms * DISTANCE)  # type: ignore[arg-type]
    nn.init.constant_(norm.running_var, terms * (1.5 - DISTANCE**2))  # type: ignore[arg-type]
    return nn.Sequential(adder, norm)


class AdderBlock(AbstractResidualBlock):
    """Two 3×3 adder convolutions; where the map changes the shortcut is a 1×1 one."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        eta: float | None = 0.2,
        activation: Choice = "relu",
        **parts: object,
    ):
        body = (
            *adder_norm(in_channels, channels, 3, stride, eta),
            chosen(activation, channels),
            *adder_norm(channels, channels, 3, 1, eta),
        )

        def shortcut(in_channels: int, channels: int, stride: int) -> nn.Module:
            return adder_norm(in_channels, channels, 1, stride, eta)

        words = {"shortcut": shortcut, "activation": activation, **parts}
        super().__init__(body, in_channels, channels, stride, **words)  # type: ignore[arg-type]


@method(
    "addernet",
    year=2019,
    paper="arXiv:1912.13200",
    aliases=("addernet20",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 5e-4,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "depth": 8,
        "width": 4,
    },
    figures={"parameters": 272_484, "multiply_adds": 443_008},
    variants={
        "addernet32": {
            "depth": 32,
            "figures": {"parameters": 466_916, "multiply_adds": 443_008},
        },
    },
)
class AdderNet(AbstractImageNetwork):
    r"""AdderNet: ResNet for small images with adder convolutions, whose outputs are $-\sum |x - w|$.

    The first convolution and the head stay as they are; the head is without bias and normalised. Every other
    convolution is an `adder_conv`, the 1×1 shortcuts too, with a normalisation after it: going back it passes
    differences, and its weights' gradient has the norm $\eta \sqrt{k}$ for k weights, which is the layer's
    own rate of learning (`eta`). Three stages of n blocks with 16, 32 and 64 channels (`width` is the
    first's), depth 6n + 2. The multiply-adds are those of the first layer and the head: the others only add.
    The paper trained 400 epochs of 256 images in a batch, at a rate that falls from 0.1 by a cosine.
    `attention` ends each block's body; `drop_path` is stochastic depth's last rate.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for a depth that is not 6n + 2.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: Size = (32, 32),
        depth: int = 20,
        width: int = 16,
        eta: float | None = 0.2,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        block = partial(AdderBlock, eta=eta, activation=activation, attention=attention)
        blocks = blocks_of(depth)
        table = [(blocks, width * 2**k) for k in range(3)]
        stem = conv_norm(in_channels, width, 3, activation=activation)
        stages = residual_stages(block, width, table, drop_path)
        super().__init__(stem, stages, mean_pool(), 4 * width, num_classes)
        start_kaiming(self, fan="in")

    def make_head(self, num_classes: int) -> nn.Module:
        """Dense without bias, and normalised."""
        linear = nn.Linear(self.features, num_classes, bias=False)
        return nn.Sequential(linear, nn.BatchNorm1d(num_classes))
