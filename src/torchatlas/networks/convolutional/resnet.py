"""Residual networks: each block adds what it learns to what it was given."""

from collections.abc import Callable, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention, attention as attended
from ...nn.choosing import Choice, chosen

Shortcut = Callable[[int, int, int], nn.Module]  # (channels in, channels out, stride)
Block = Callable[[int, int, int], nn.Module]


class PadShortcut(nn.Module):
    """The paper's option A: every `stride`-th pixel, and zeros for the new channels; no parameters."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.new, self.stride = channels - in_channels, stride

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c + new, ⌈h/stride⌉, ⌈w/stride⌉)
        return F.pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))


def projection_shortcut(in_channels: int, channels: int, stride: int) -> nn.Module:
    """The paper's option B: a normalised 1×1 convolution."""
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))


SHORTCUTS: dict[str, Shortcut] = {"pad": PadShortcut, "projection": projection_shortcut}


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, attention if any, and the shortcut around them: φ(F(x) + shortcut(x))."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        shortcut: Shortcut,
        activation: Choice = "relu",
        attention: Attention = None,
    ):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            chosen(activation, channels),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            attended(attention, channels),
        )
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else shortcut(in_channels, channels, stride)
        self.activation = chosen(activation, channels)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        return self.activation(self.body(x) + self.shortcut(x))


def stage(block: Block, in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """Blocks of one width, of which the first brings the map to the stage's width and size."""
    rest = (block(channels, channels, 1) for _ in range(blocks - 1))
    return nn.Sequential(block(in_channels, channels, stride), *rest)


class AbstractResNet(nn.Module):
    """Stem, stages of residual blocks, the mean over the map, and a linear head.

    stem: the first layers, which give `width` channels. table: (blocks, channels) of each stage; each but
    the first halves the map. Weights start by Kaiming's rule.
    """

    def __init__(
        self, stem: nn.Module, width: int, table: Sequence[tuple[int, int]], block: Block, num_classes: int
    ):
        super().__init__()
        self.stem, self.stages = stem, nn.Sequential()
        for number, (blocks, channels) in enumerate(table):
            self.stages.append(stage(block, width, channels, blocks, 2 if number else 1))
            width = channels
        self.head = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward_features(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, width)
        return self.stages(self.stem(x)).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k)
        return self.head(self.forward_features(x))


@method(
    "resnet20_cifar",
    year=2015,
    paper="arXiv:1512.03385",
    aliases=("resnet20",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 1e-4,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={"num_classes": 3, "in_channels": 1, "input_size": (12, 12), "depth": 8},
    figures={"parameters": 269_722, "multiply_adds": 40_551_040},
    variants={
        "resnet32_cifar": {
            "depth": 32,
            "aliases": ("resnet32",),
            "figures": {"parameters": 464_154, "multiply_adds": 68_862_592},
        },
        "resnet44_cifar": {
            "depth": 44,
            "aliases": ("resnet44",),
            "figures": {"parameters": 658_586, "multiply_adds": 97_174_144},
        },
        "resnet56_cifar": {
            "depth": 56,
            "aliases": ("resnet56",),
            "figures": {"parameters": 853_018, "multiply_adds": 125_485_696},
        },
        "resnet110_cifar": {
            "depth": 110,
            "aliases": ("resnet110",),
            "figures": {"parameters": 1_727_962, "multiply_adds": 252_887_680},
        },
    },
)
class CifarResNet(AbstractResNet):
    r"""ResNet for small images: three stages of n blocks with 16, 32 and 64 channels, depth 6n + 2.

    Shortcuts that change the map are the paper's option A (`shortcut="pad"`, no parameters) or B
    ("projection"); its `activation` is ReLU. `attention`, such as "se" or "cbam", stands at the end of each
    block's body, before the sum. The paper trained 64,000 steps of 128 crops at a rate of 0.1, cut twice by
    ten, from 0.01 at the start for depth 110; the recipe here is for smaller budgets, not augmented.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for a depth that is not 6n + 2.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: tuple[int, int] = (32, 32),
        depth: int = 20,
        shortcut: str | Shortcut = "pad",
        activation: Choice = "relu",
        attention: Attention = None,
    ):
        if depth < 8 or depth % 6 != 2:
            raise UsageError(f"the depth is 6n + 2 (8, 14, 20, 32, 44, 56, 110 …), not {depth}")
        if isinstance(shortcut, str) and shortcut not in SHORTCUTS:
            raise UsageError(f"the shortcut is {' or '.join(SHORTCUTS)}, not {shortcut!r}")
        around = SHORTCUTS[shortcut] if isinstance(shortcut, str) else shortcut
        super().__init__(
            nn.Sequential(
                nn.Conv2d(in_channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), chosen(activation, 16)
            ),
            16,
            [(depth // 6, channels) for channels in (16, 32, 64)],
            partial(BasicBlock, shortcut=around, activation=activation, attention=attention),
            num_classes,
        )
