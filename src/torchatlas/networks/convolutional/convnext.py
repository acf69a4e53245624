"""ConvNeXt: a residual network of convolutions alone, built as transformers are."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import mean_pool

EPS = 1e-6  # of layer norms


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation of maps, over the channels of each pixel."""

    def __init__(self, channels: int):
        super().__init__(channels, EPS)

    def forward(self, input: Tensor) -> Tensor:  # (b, c, h, w) -> the same
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GlobalResponseNorm(nn.Module):
    r"""Global response normalisation: channels compete by their norms over the map.

    $y = \gamma x n + \beta + x$ with $n_c = g_c / (\mathrm{mean}_c\, g_c + \epsilon)$ and $g_c$ the root of
    the sum of squares over the map of a channel. γ and β start at zero. Channels come last.
    """

    def __init__(self, channels: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:  # (b, h, w, c) -> the same
        norm = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)  # (b, 1, 1, c)
        return x + self.weight * (x * norm / (norm.mean(-1, keepdim=True) + self.eps)) + self.bias


class ConvNeXtBlock(nn.Module):
    """A 7×7 convolution of each channel, layer norm, and a perceptron of four times the width at each pixel.

    The result is scaled per channel by a parameter that starts at `layer_scale` (0: there is none). With
    `grn`, global response normalisation follows the activation.
    """

    def __init__(
        self,
        channels: int,
        kernel: int = 7,
        grn: bool = False,
        layer_scale: float = 1e-6,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, EPS)
        within = 4 * channels
        self.mlp = nn.Sequential(
            nn.Linear(channels, within),
            chosen(activation, within, -1),
            GlobalResponseNorm(within) if grn else nn.Identity(),
            nn.Linear(within, channels),
        )
        self.scale = nn.Parameter(torch.full((channels,), layer_scale)) if layer_scale else None
        self.drop = StochasticDepth(drop_path)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        y = self.conv(x).permute(0, 2, 3, 1)  # (b, h, w, c)
        y = self.mlp(self.norm(y))
        if self.scale is not None:
            y = y * self.scale
        added: Tensor = self.drop(y.permute(0, 3, 1, 2))
        return x + added


def start(network: nn.Module) -> None:
    """Weights from a normal distribution of deviation 0.02 that is cut at ±2; biases at zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


# timm's names
KEYS: KeyMap = (
    (r"\.blocks\.(\d+)\.", r".block\1."),
    (r"\.conv_dw\.", ".conv."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.grn\.", ".mlp.2."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
    (r"\.gamma$", ".scale"),
    (r"^head\.norm\.", "neck.2."),
    (r"^head\.fc\.", "head."),
)
KEYS_TORCHVISION: KeyMap = (
    (r"^features\.0\.", "stem."),
    *((rf"^features\.{2 * k + 1}\.(\d+)\.", rf"stages.{k}.block\1.") for k in range(4)),
    *((rf"^features\.{2 * k}\.", f"stages.{k}.downsample.") for k in range(1, 4)),
    (r"\.block\.0\.", ".conv."),
    (r"\.block\.2\.", ".norm."),
    (r"\.block\.3\.", ".mlp.0."),
    (r"\.block\.5\.", ".mlp.3."),
    (r"\.layer_scale$", ".scale"),
    (r"^classifier\.0\.", "neck.2."),
    (r"^classifier\.2\.", "head."),
)


@method(
    "convnext_tiny",
    year=2022,
    paper="arXiv:2201.03545",
    topics=("classification", "vision"),
    recipe={
        "optimizer": "adamw",
        "optimizer.weight_decay": 0.05,
        "lr": 0.001,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "layers": (1, 1),
        "widths": (8, 12),
    },
    figures={"parameters": 28_589_128, "multiply_adds": 4_455_531_264},
    variants={
        "convnext_small": {
            "layers": (3, 3, 27, 3),
            "figures": {"parameters": 50_223_688, "multiply_adds": 8_683_712_256},
        },
        "convnext_base": {
            "layers": (3, 3, 27, 3),
            "widths": (128, 256, 512, 1024),
            "figures": {"parameters": 88_591_464, "multiply_adds": 15_354_729_472},
        },
        "convnextv2_atto": {
            "layers": (2, 2, 6, 2),
            "widths": (40, 80, 160, 320),
            "grn": True,
            "layer_scale": 0.0,
            "year": 2023,
            "paper": "arXiv:2301.00808",
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "layers": (1, 1),
                "widths": (8, 12),
            },
            "figures": {"parameters": 3_708_400, "multiply_adds": 547_332_480},
        },
        "convnextv2_tiny": {
            "grn": True,
            "layer_scale": 0.0,
            "year": 2023,
            "paper": "arXiv:2301.00808",
            "figures": {"parameters": 28_635_496, "multiply_adds": 4_455_531_264},
        },
    },
)
class ConvNeXt(AbstractImageNetwork):
    r"""ConvNeXt: stages of blocks of 7×7 depthwise convolution, layer norm and perceptron.

    The stem cuts the image into patches of 4×4 pixels; a layer norm and a 2×2 convolution halve the map
    before each later stage. `layers` and `widths` tell the blocks and the channels of each. Version 2 has
    global response normalisation after each block's activation (`grn`) and no scale per channel at the
    block's end (`layer_scale`, where it starts; 0 for none). `drop_path` is stochastic depth's last rate.
    Small images (64 pixels and less) meet a 3×3 convolution in place of patches, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); images of 32 pixels and more a
    side fit, small ones of 8.
    Errors: `UsageError` where not each stage has its width, for an even kernel, and for smaller images.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS, "torchvision": KEYS_TORCHVISION}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (3, 3, 9, 3),
        widths: Sequence[int] = (96, 192, 384, 768),
        kernel: int = 7,
        grn: bool = False,
        layer_scale: float = 1e-6,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
    ):
        if len(layers) != len(widths):
            raise UsageError(f"each stage has its width: layers={layers} and widths={widths}")
        if kernel % 2 == 0:
            raise UsageError(f"kernel={kernel} must be odd, to keep the map's size")
        small = is_small(input_size)
        smallest = (1 if small else 4) * 2 ** (len(layers) - 1)
        if input_size and min(input_size) < smallest:
            raise UsageError(f"{input_size} is too small: take {smallest} pixels a side, or fewer layers")
        shape = (3, 1, 1) if small else (4, 4)
        stem = nn.Sequential(nn.Conv2d(in_channels, widths[0], *shape), LayerNorm2d(widths[0]))
        rates = iter(drop_rates(sum(layers), drop_path))
        stages, width = [], widths[0]
        for number, (blocks, channels) in enumerate(zip(layers, widths, strict=True)):
            stage = nn.Sequential()
            if number:
                half = nn.Sequential(LayerNorm2d(width), nn.Conv2d(width, channels, 2, 2))
                stage.add_module("downsample", half)
            for k in range(blocks):
                block = ConvNeXtBlock(channels, kernel, grn, layer_scale, activation, next(rates))
                stage.add_module(f"block{k}", block)
            stages.append(stage)
            width = channels
        neck = nn.Sequential(*mean_pool(), nn.LayerNorm(width, EPS))
        super().__init__(stem, stages, neck, width, num_classes)
        start(self)
