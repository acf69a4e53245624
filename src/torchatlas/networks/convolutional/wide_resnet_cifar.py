"""Wide residual networks for small images: fewer blocks, with many more channels."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from ...cards.card import method
from ...nn.attention.placing import Choice as Attention, attention as attended
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import StochasticDepth
from ..image import AbstractImageNetwork, KeyMap, Size
from ..layers import blocks_of, mean_pool, start_kaiming
from .densenet import norm_conv
from .resnet import residual_stages


class WideBlock(nn.Module):
    """Two 3×3 convolutions, each after batch normalisation and activation; nothing follows the sum.

    Where the shape changes, a 1×1 convolution of the first activation's output is the shortcut. `dropout`
    stands before the second convolution.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        dropout: float = 0.0,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        super().__init__()
        norm, act, conv = norm_conv(in_channels, channels, 3, stride, activation=activation)
        self.first = nn.Sequential(norm, act)
        norm, act, last = norm_conv(channels, channels, 3, activation=activation)
        ends = (attended(attention, channels), *([StochasticDepth(drop_path)] if drop_path else []))
        self.body = nn.Sequential(conv, norm, act, nn.Dropout(dropout), last, *ends)
        same = stride == 1 and in_channels == channels
        self.shortcut = None if same else nn.Conv2d(in_channels, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        y = self.first(x)
        around: Tensor = x if self.shortcut is None else self.shortcut(y)
        return around + self.body(y)


KEYS: KeyMap = (
    (r"^features\.init_block\.", "stem."),
    (r"^features\.post_activ\.bn\.", "neck.0."),
    (r"^features\.stage1\.", "stages.0."),
    (r"^features\.stage2\.", "stages.1."),
    (r"^features\.stage3\.", "stages.2."),
    (r"unit1\.", "0."),
    (r"unit2\.", "1."),
    (r"unit3\.", "2."),
    (r"unit4\.", "3."),
    (r"unit5\.", "4."),
    (r"unit6\.", "5."),
    (r"\.body\.conv1\.bn\.", ".first.0."),
    (r"\.body\.conv1\.conv\.", ".body.0."),
    (r"\.body\.conv2\.bn\.", ".body.1."),
    (r"\.body\.conv2\.conv\.", ".body.4."),
    (r"\.identity_conv\.", ".shortcut."),
    (r"^output\.", "head."),
)


@method(
    "wrn28_10_cifar",
    year=2016,
    paper="arXiv:1605.07146",
    aliases=("wide_resnet",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.nesterov": True,
        "optimizer.weight_decay": 5e-4,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={"num_classes": 3, "in_channels": 1, "input_size": (12, 12), "depth": 10, "widen": 1},
    figures={"parameters": 36_479_194, "multiply_adds": 5_243_328_768},
    variants={
        "wrn16_4_cifar": {
            "depth": 16,
            "widen": 4,
            "figures": {"parameters": 2_748_890, "multiply_adds": 392_612_352},
        },
        "wrn16_8_cifar": {
            "depth": 16,
            "widen": 8,
            "figures": {"parameters": 10_961_370, "multiply_adds": 1_548_145_664},
        },
        "wrn40_2_cifar": {
            "depth": 40,
            "widen": 2,
            "figures": {"parameters": 2_243_546, "multiply_adds": 327_599_360},
        },
        "wrn40_4_cifar": {
            "depth": 40,
            "widen": 4,
            "figures": {"parameters": 8_949_210, "multiply_adds": 1_298_582_016},
        },
        "wrn40_8_cifar": {
            "depth": 40,
            "widen": 8,
            "figures": {"parameters": 35_748_314, "multiply_adds": 5_172_024_320},
        },
    },
)
class CifarWideResNet(AbstractImageNetwork):
    r"""Wide ResNet: three stages of n blocks whose 16, 32 and 64 channels are `widen` times as many.

    The depth is 6n + 4. Blocks are pre-activated, $x + \mathrm{conv}(\phi(\mathrm{conv}(\phi(x))))$, where φ
    is batch normalisation and ReLU. `dropout` stands between the convolutions (0.3 in the paper, for the
    best nets); `attention` ends each block's body, and `drop_path` is stochastic depth's last rate.
    The nets for large images are sizes of `resnet18`, such as `wide_resnet50_2`.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for a depth that is not 6n + 4.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"pytorchcv": KEYS}

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: Size = (32, 32),
        depth: int = 28,
        widen: int = 10,
        dropout: float = 0.0,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        blocks = blocks_of(depth, 6, 4)
        block = partial(WideBlock, dropout=dropout, activation=activation, attention=attention)
        table = [(blocks, widen * channels) for channels in (16, 32, 64)]
        stem, last = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False), 64 * widen
        neck = nn.Sequential(nn.BatchNorm2d(last), chosen(activation, last), *mean_pool())
        super().__init__(stem, residual_stages(block, 16, table, drop_path), neck, last, num_classes)
        start_kaiming(self)
