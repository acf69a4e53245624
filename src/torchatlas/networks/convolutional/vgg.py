"""VGG: blocks of 3×3 convolutions, each block at half the size of the one part."""

from collections.abc import Sequence

from torch import nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import start_kaiming
from .alexnet import hidden_layers

DENSE: KeyMap = (
    (r"^(classifier\.0|output\.fc1\.fc)\.", "neck.3.0."),
    (r"^(classifier\.3|output\.fc2\.fc)\.", "neck.4.0."),
    (r"^(classifier\.6|output\.fc3)\.", "head."),
)


def unit(in_channels: int, channels: int, batch_norm: bool, activation: Choice) -> nn.Sequential:
    """A 3×3 convolution with bias, batch normalisation if wanted, and an activation."""
    norm = (nn.BatchNorm2d(channels),) if batch_norm else ()
    conv = nn.Conv2d(in_channels, channels, 3, padding=1)
    return nn.Sequential(conv, *norm, chosen(activation, channels))


def keys(layers: Sequence[int], batch_norm: bool) -> dict[str, KeyMap]:
    """Other libraries' names of the weights in blocks of so many convolutions.

    torchvision numbers all layers on end, also those without weights; pytorchcv blocks and units from 1.
    """
    flat, nested, number = [], [], 0
    for block, units in enumerate(layers):
        for place in range(units):
            ours = f"stages.{block}.{place + (block > 0)}."  # all but the first begin with a pooling
            flat.append((rf"^features\.{number}\.", f"{ours}0."))
            flat.append((rf"^features\.{number + 1}\.", f"{ours}1."))
            nested.append((rf"^features\.stage{block + 1}\.unit{place + 1}\.", ours))
            number += 3 if batch_norm else 2
        number += 1
    layer = ((r"\.conv\.", ".0."), (r"\.bn\.", ".1."))
    return {"torchvision": (*flat, *DENSE), "pytorchcv": (*nested, *layer, *DENSE)}


@method(
    "vgg11",
    year=2014,
    paper="arXiv:1409.1556",
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "layers": (1, 2),
        "widths": (8, 16),
        "hidden": (16,),
    },
    figures={"parameters": 132_863_336, "multiply_adds": 7_609_090_048},
    variants={
        "vgg13": {
            "layers": (2, 2, 2, 2, 2),
            "figures": {"parameters": 133_047_848, "multiply_adds": 11_308_466_176},
        },
        "vgg16": {
            "layers": (2, 2, 3, 3, 3),
            "figures": {"parameters": 138_357_544, "multiply_adds": 15_470_264_320},
        },
        "vgg19": {
            "layers": (2, 2, 4, 4, 4),
            "figures": {"parameters": 143_667_240, "multiply_adds": 19_632_062_464},
        },
        "vgg11_bn": {
            "batch_norm": True,
            "figures": {"parameters": 132_868_840, "multiply_adds": 7_609_090_048},
        },
        "vgg13_bn": {
            "layers": (2, 2, 2, 2, 2),
            "batch_norm": True,
            "figures": {"parameters": 133_053_736, "multiply_adds": 11_308_466_176},
        },
        "vgg16_bn": {
            "layers": (2, 2, 3, 3, 3),
            "batch_norm": True,
            "figures": {"parameters": 138_365_992, "multiply_adds": 15_470_264_320},
        },
        "vgg19_bn": {
            "layers": (2, 2, 4, 4, 4),
            "batch_norm": True,
            "figures": {"parameters": 143_678_248, "multiply_adds": 19_632_062_464},
        },
    },
)
class VGG(AbstractImageNetwork):
    r"""VGG: blocks of 3×3 convolutions, max pooling 2×2 after each, and dense layers.

    `layers` tells the convolutions of each block and `widths` their maps; the number in a name counts all
    layers with weights. The stages are the blocks, there is no stem; all but the first stage begin with the
    pooling. `hidden` are the widths of the dense layers, with dropout on what each gives. The `_bn` forms,
    which came later, have batch normalisation after each convolution. With a `grid`, such as torchvision's
    7×7, the mean over as many cells of the last map comes part the dense layers, so that the same weights
    take other sizes. Weights start by Kaiming's rule: the paper grew its deeper networks from trained
    smaller ones.
    Small images (64 pixels and less) end in one hidden layer of 512, in place of two of 4096, after all five
    halvings: 32×32 ends as 1×1, and a map of one pixel is pooled no further.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes).
    Errors: `UsageError` for unlike numbers of `layers` and `widths`.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (1, 1, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        batch_norm: bool = False,
        hidden: Sequence[int] | None = None,
        grid: Size | None = None,
        activation: Choice = "relu",
        dropout: float = 0.5,
    ):
        if len(layers) != len(widths):
            raise UsageError(f"layers={layers} and widths={widths} must have one number for each block")
        if hidden is None:
            hidden = (512,) if is_small(input_size) else (4096, 4096)
        rows, columns = input_size or (224, 224)
        stages, stage, width = [], nn.Sequential(), in_channels
        for units, channels in zip(layers, widths):
            for _ in range(units):
                stage.append(unit(width, channels, batch_norm, activation))
                width = channels
            stages.append(stage)
            step = min(rows, 2), min(columns, 2)
            stage = nn.Sequential(nn.MaxPool2d(step))  # the next stage begins with it, at last the neck
            rows, columns = rows // step[0], columns // step[1]
        rows, columns = grid or (rows, columns)
        mean = nn.AdaptiveAvgPool2d(grid) if grid else nn.Identity()
        dense = hidden_layers(width * rows * columns, hidden, activation, dropout)
        neck = nn.Sequential(*stage, mean, nn.Flatten(), *dense)
        super().__init__(nn.Identity(), stages, neck, [width * rows * columns, *hidden][-1], num_classes)
        self.key_maps = keys(layers, batch_norm)  # type: ignore[misc]
        start_kaiming(self.stages, self.neck, fan="in", dense=True)
