"""Dense networks: each layer is given the maps of all layers before it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import blocks_of, mean_pool, pooled_stem, start_kaiming

BOTTLENECK = 4  # channels of a layer's 1×1 convolution, in growths


def norm_conv(
    in_channels: int,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    *,
    activation: Choice | None = "relu",
    dropout: float = 0.0,
) -> nn.Sequential:
    """Batch normalisation, an activation if any, a convolution without bias, and dropout if any."""
    layers: list[nn.Module] = [nn.BatchNorm2d(in_channels)]
    if activation is not None:
        layers.append(chosen(activation, in_channels))
    layers.append(nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


class DenseLayer(nn.Module):
    """A 3×3 convolution to `growth` new maps, which follow those that came in.

    As a bottleneck, a 1×1 convolution to four times as many stands before it.
    """

    def __init__(
        self,
        in_channels: int,
        growth: int,
        bottleneck: bool = True,
        activation: Choice = "relu",
        dropout: float = 0.0,
    ):
        super().__init__()
        make = partial(norm_conv, activation=activation, dropout=dropout)
        widths = (in_channels, BOTTLENECK * growth) if bottleneck else (in_channels,)
        first = [make(*widths)] if bottleneck else []
        self.body = nn.Sequential(*first, make(widths[-1], growth, 3))

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c + growth, h, w)
        return torch.cat((x, self.body(x)), 1)


def dense_stages(
    width: int,
    layers: Sequence[int],
    growth: int,
    compression: float,
    layer: Callable[[int, int], nn.Module],
    transition: Callable[[int, int], nn.Sequential],
) -> Iterator[tuple[nn.Sequential, int]]:
    """Stages of dense layers after `width` channels, each with its own width at the end.

    A transition begins each stage but the first: it keeps `compression` of the maps, and halves their sides.
    """
    for number, count in enumerate(layers):
        stage = nn.Sequential()
        if number:
            kept = int(compression * width)
            stage.add_module("transition", transition(width, kept).append(nn.AvgPool2d(2)))
            width = kept
        for k in range(1, count + 1):
            stage.add_module(f"layer{k}", layer(width, growth))
            width += growth
        yield stage, width


class AbstractDenseNet(AbstractImageNetwork):
    """A stem, and stages of dense layers after it, which end in batch normalisation, activation and mean."""

    def __init__(
        self,
        num_classes: int,
        stem: nn.Module,
        width: int,
        layers: Sequence[int],
        growth: int,
        compression: float,
        bottleneck: bool,
        activation: Choice,
        dropout: float,
        input_size: Size | None,
    ):
        smallest = 2 ** (len(layers) - 1)
        if input_size and min(input_size) < smallest:
            raise UsageError(f"{input_size} is too small: take {smallest} pixels a side, or fewer layers")
        if not 0 < compression <= 1:
            raise UsageError(
                f"compression={compression}: it is the part of the maps kept, above 0, at most 1"
            )
        layer = partial(DenseLayer, bottleneck=bottleneck, activation=activation, dropout=dropout)
        transition = partial(norm_conv, activation=activation, dropout=dropout)
        made = list(dense_stages(width, layers, growth, compression, layer, transition))
        last = made[-1][1]
        neck = nn.Sequential(nn.BatchNorm2d(last), chosen(activation, last), *mean_pool())
        super().__init__(stem, [stage for stage, _ in made], neck, last, num_classes)
        start_kaiming(self, fan="in")


# torchvision's and timm's names; torchvision's files have a point before a layer's numbers, as in "norm.1"
KEYS: KeyMap = (
    (r"^features\.conv0\.", "stem.0."),
    (r"^features\.norm0\.", "stem.1."),
    (r"^features\.norm5\.", "neck.0."),
    (r"^features\.(denseblock1|transition0)\.", "stages.0."),
    (r"^features\.denseblock2\.", "stages.1."),
    (r"^features\.denseblock3\.", "stages.2."),
    (r"^features\.denseblock4\.", "stages.3."),
    (r"^features\.transition(\d)\.norm\.", r"stages.\1.transition.0."),
    (r"^features\.transition(\d)\.conv\.", r"stages.\1.transition.2."),
    (r"\.denselayer", ".layer"),
    (r"\.norm\.?1\.", ".body.0.0."),
    (r"\.conv\.?1\.", ".body.0.2."),
    (r"\.norm\.?2\.", ".body.1.0."),
    (r"\.conv\.?2\.", ".body.1.2."),
    (r"^classifier\.", "head."),
)
KEYS_PYTORCHCV: KeyMap = (
    (r"^features\.init_block\.conv\.", "stem.0."),
    (r"^features\.init_block\.bn\.", "stem.1."),
    (r"^features\.init_block\.", "stem."),
    (r"^features\.post_activ\.bn\.", "neck.0."),
    (r"^features\.stage1\.", "stages.0."),
    (r"^features\.stage2\.", "stages.1."),
    (r"^features\.stage3\.", "stages.2."),
    (r"^features\.stage4\.", "stages.3."),
    (r"\.trans\d\.conv\.", ".transition."),
    (r"\.unit(\d+)\.conv\.", r".layer\1.body.0."),
    (r"\.unit(\d+)\.conv1\.", r".layer\1.body.0."),
    (r"\.unit(\d+)\.conv2\.", r".layer\1.body.1."),
    (r"\.bn\.", ".0."),
    (r"\.conv\.", ".2."),
    (r"^output\.", "head."),
)


@method(
    "densenet121",
    year=2016,
    paper="arXiv:1608.06993",
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
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "layers": (1, 2),
        "growth": 4,
        "width": 8,
    },
    figures={"parameters": 7_978_856, "multiply_adds": 2_834_161_664},
    variants={
        "densenet169": {
            "layers": (6, 12, 32, 32),
            "figures": {"parameters": 14_149_480, "multiply_adds": 3_359_843_328},
        },
        "densenet201": {
            "layers": (6, 12, 48, 32),
            "figures": {"parameters": 20_013_928, "multiply_adds": 4_291_365_888},
        },
        "densenet161": {
            "layers": (6, 12, 36, 24),
            "growth": 48,
            "width": 96,
            "figures": {"parameters": 28_681_000, "multiply_adds": 7_727_907_072},
        },
    },
)
class DenseNet(AbstractDenseNet):
    r"""DenseNet: each layer adds `growth` maps to all that came before, $x_l = [x_{l-1}, H_l(x_{l-1})]$.

    H is batch normalisation, ReLU and a 1×1 convolution to four growths, then the same with 3×3 to one
    growth. `layers` tells how many each stage has. Between stages a 1×1 convolution keeps half of the maps
    (`compression`), and average pooling halves their sides. The stem has `width` channels, twice the growth
    in the paper. `dropout` follows every convolution after the stem's.
    Small images (64 pixels and less) meet a 3×3 stem without pooling, so that 32×32 ends as 4×4; the paper's
    own nets for them are `densenet_cifar`.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for images below 8 pixels, and for a compression that is not in (0, 1].
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {
        "torchvision": KEYS,
        "timm": KEYS,
        "pytorchcv": KEYS_PYTORCHCV,
    }

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (6, 12, 24, 16),
        growth: int = 32,
        width: int = 64,
        compression: float = 0.5,
        activation: Choice = "relu",
        dropout: float = 0.0,
    ):
        stem = pooled_stem(in_channels, width, 7, is_small(input_size), activation)
        words = (growth, compression, True, activation, dropout, input_size)
        super().__init__(num_classes, stem, width, layers, *words)


@method(
    "densenet_cifar",
    year=2016,
    paper="arXiv:1608.06993",
    aliases=("densenet40_k12_cifar",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.nesterov": True,
        "optimizer.weight_decay": 1e-4,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 64,
        "epochs": 30,
    },
    tiny={"num_classes": 3, "in_channels": 1, "input_size": (12, 12), "depth": 7, "growth": 8},
    figures={"parameters": 1_019_722, "multiply_adds": 264_812_928},
    variants={
        "densenet100_k12_cifar": {
            "depth": 100,
            "figures": {"parameters": 6_979_642, "multiply_adds": 1_769_516_448},
        },
        "densenet100_k24_cifar": {
            "depth": 100,
            "growth": 24,
            "figures": {"parameters": 27_249_082, "multiply_adds": 6_889_347_744},
        },
        "densenet_bc100_k12_cifar": {
            "depth": 100,
            "bottleneck": True,
            "compression": 0.5,
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "depth": 10,
                "growth": 4,
            },
            "figures": {"parameters": 769_162, "multiply_adds": 287_929_692},
        },
        "densenet_bc250_k24_cifar": {
            "depth": 250,
            "growth": 24,
            "bottleneck": True,
            "compression": 0.5,
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "depth": 10,
                "growth": 4,
            },
            "figures": {"parameters": 15_324_406, "multiply_adds": 5_418_785_724},
        },
        "densenet_bc190_k40_cifar": {
            "depth": 190,
            "growth": 40,
            "bottleneck": True,
            "compression": 0.5,
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "depth": 10,
                "growth": 4,
            },
            "figures": {"parameters": 25_624_430, "multiply_adds": 9_301_945_740},
        },
    },
)
class CifarDenseNet(AbstractDenseNet):
    """DenseNet for small images: three stages of as many layers each, after a bare 3×3 convolution.

    Layers are 3×3 convolutions, and `depth` is 3n + 4; with `bottleneck` each has its 1×1 before it, and
    depth is 6n + 4. `compression` is the part of the maps that a transition keeps; the paper's BC has both,
    with one half. The stem has 16 channels, and twice the growth in BC; `width` says another. `dropout`
    follows every convolution after the stem's: 0.2 in the paper, on data that is not augmented.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for another depth, images below 4 pixels, and a compression that is not in (0, 1].
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"pytorchcv": KEYS_PYTORCHCV}

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: Size = (32, 32),
        depth: int = 40,
        growth: int = 12,
        bottleneck: bool = False,
        compression: float = 1.0,
        width: int | None = None,
        activation: Choice = "relu",
        dropout: float = 0.0,
    ):
        blocks = blocks_of(depth, 6 if bottleneck else 3, 4)
        first = width or (2 * growth if bottleneck and compression < 1 else 16)
        stem = nn.Conv2d(in_channels, first, 3, padding=1, bias=False)
        layers = (blocks,) * 3
        words = (growth, compression, bottleneck, activation, dropout, input_size)
        super().__init__(num_classes, stem, first, layers, *words)
