"""Residual networks for small images."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention
from ...nn.choosing import Choice
from ..image import AbstractImageNetwork, Size
from ..layers import blocks_of, conv_norm, mean_pool, start_kaiming
from .resnet import BasicBlock, Shortcut, projection_shortcut, residual_stages


class PadShortcut(nn.Module):
    """The paper's option A: every `stride`-th pixel, and zeros for the new channels; no parameters."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.new, self.stride = channels - in_channels, stride

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c + new, ⌈h/stride⌉, ⌈w/stride⌉)
        # Not x[..., ::stride, ::stride], whose gradient loses the memory format and slows all before it.
        return F.pad(F.avg_pool2d(x, 1, self.stride), (0, 0, 0, 0, 0, self.new))


SHORTCUTS: dict[str, Shortcut] = {"pad": PadShortcut, "projection": projection_shortcut}


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
class CifarResNet(AbstractImageNetwork):
    r"""ResNet for small images: three stages of n blocks with 16, 32 and 64 channels, depth 6n + 2.

    Shortcuts that change the map are the paper's option A (`shortcut="pad"`, no parameters) or B
    ("projection"); its `activation` is ReLU. `attention`, such as "se" or "cbam", stands at the end of each
    block's body, before the sum; `drop_path` is stochastic depth's last rate. The paper trained 64,000 steps
    of 128 crops at a rate of 0.1, cut twice by ten, from 0.01 at the start for depth 110; the recipe here is
    for smaller budgets, not augmented.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for a depth that is not 6n + 2.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: Size = (32, 32),
        depth: int = 20,
        shortcut: str | Shortcut = "pad",
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        blocks = blocks_of(depth)
        if isinstance(shortcut, str) and shortcut not in SHORTCUTS:
            raise UsageError(f"the shortcut is {' or '.join(SHORTCUTS)}, not {shortcut!r}")
        around = SHORTCUTS[shortcut] if isinstance(shortcut, str) else shortcut
        block = partial(BasicBlock, shortcut=around, activation=activation, attention=attention)
        table = [(blocks, channels) for channels in (16, 32, 64)]
        stem = conv_norm(in_channels, 16, 3, activation=activation)
        super().__init__(stem, residual_stages(block, 16, table, drop_path), mean_pool(), 64, num_classes)
        start_kaiming(self, fan="in")
