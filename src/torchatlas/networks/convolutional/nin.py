"""Network in Network: a small perceptron at every pixel, and a mean in place of dense layers."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import ClassVar

import torch
from torch import nn

from ...cards.card import method
from ..image import AbstractImageNetwork, KeyMap, Size, last_map
from ..layers import start_kaiming

Widths = Sequence[int]


def mlpconv(
    in_channels: int, widths: Widths, kernel: int, stride: int = 1, padding: int = 0
) -> nn.Sequential:
    """A convolution, then a perceptron at each pixel (1×1 convolutions); ReLU after every one of them."""
    layers: list[nn.Module] = []
    for number, width in enumerate(widths):
        shape = (1,) if number else (kernel, stride, padding)
        layers += [nn.Conv2d(in_channels, width, *shape), nn.ReLU()]
        in_channels = width
    return nn.Sequential(*layers)


def class_maps(shape: Sequence[int], perceptron: nn.Sequential) -> nn.Sequential:
    """A head: features as a map (channels, h, w) again, a perceptron to one map per class, and their means.

    Weights start by Kaiming's rule, but for the last layer: it ends in a ReLU as the others do, and a class
    whose map starts at zero would never learn, so all start near one.
    """
    start_kaiming(perceptron, fan="in", dense=True)
    last = [layer for layer in perceptron if isinstance(layer, nn.Conv2d)][-1]
    nn.init.ones_(last.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        last.weight.mul_(0.1)
    unflatten = nn.Unflatten(1, tuple(shape))
    return nn.Sequential(unflatten, perceptron, nn.AdaptiveAvgPool2d(1), nn.Flatten())


KEYS: KeyMap = (
    (r"^features\.stage1\.", "stem."),
    (r"^features\.stage2\.", "stages.0.2."),
    (r"^features\.stage3\.", "stages.1.2."),
    (r"unit1\.conv\.", "0."),
    (r"unit2\.conv\.", "2."),
    (r"unit3\.conv\.", "4."),
    (r"^output\.final_conv\.conv\.", "head.1.0."),
)


@method(
    "nin_cifar10",
    year=2013,
    paper="arXiv:1312.4400",
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "widths": ((16, 12, 8), (16, 16, 16), (16, 16)),
    },
    figures={"parameters": 966_986, "multiply_adds": 222_486_528},
)
class NiN(AbstractImageNetwork):
    r"""Network in Network for small images: three convolutions, each with a perceptron at every pixel.

    The last perceptron has one map per class, whose mean is the logit: there is no dense layer. It ends in a
    ReLU as the others do, so that no logit is below zero. Weights start by Kaiming's rule, but for the last
    layer: there a class whose map starts at zero would never learn, so all start near one. Max pooling and
    average pooling 3×3 halve the map, with dropout after. Features are the last map, all of its pixels.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"pytorchcv": KEYS}

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: Size = (32, 32),
        widths: tuple[Widths, Widths, Widths] = ((192, 160, 96), (192, 192, 192), (192, 192)),
        dropout: float = 0.5,
    ):
        first, second, third = widths
        rows, columns = (-(-side // 4) for side in input_size)
        self.channels = third[-1]
        stages = [
            nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Dropout(dropout), mlpconv(first[-1], second, 5, 1, 2)),
            nn.Sequential(nn.AvgPool2d(3, 2, 1), nn.Dropout(dropout), mlpconv(second[-1], third, 3, 1, 1)),
        ]
        stem = mlpconv(in_channels, first, 5, 1, 2)
        super().__init__(stem, stages, nn.Flatten(), third[-1] * rows * columns, num_classes)
        start_kaiming(self.stem, self.stages, fan="in", dense=True)

    def make_head(self, num_classes: int) -> nn.Module:
        # 1×1 kernels ask not where a pixel lies, so that the map may have any shape
        return class_maps((self.channels, -1, 1), mlpconv(self.channels, (num_classes,), 1))


@method(
    "nin",
    year=2013,
    paper="arXiv:1312.4400",
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={"num_classes": 3, "in_channels": 1, "input_size": (67, 67), "widths": (8, 8, 8)},
    figures={"parameters": 7_439_608, "multiply_adds": 965_572_864},
)
class LargeNiN(AbstractImageNetwork):
    r"""Network in Network for large images: AlexNet's convolutions, each with two layers at every pixel.

    Convolutions 11×11/4, 5×5, 3×3 and 3×3, of which the last has a map per class; within a block all `widths`
    are the same, and max pooling 3×3/2 comes after each of the first three. It is the form of textbooks: the
    paper has no network of this size. Logits, starting weights and features are as in `nin_cifar10`, with
    dropout on the features alone.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes).
    Errors: `UsageError` for images too small for all poolings.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size = (224, 224),
        widths: tuple[int, int, int] = (96, 256, 384),
        dropout: float = 0.5,
    ):
        a, b, c = widths
        stem, pool = mlpconv(in_channels, (a, a, a), 11, 4), nn.MaxPool2d(3, 2)
        stages = [
            nn.Sequential(nn.MaxPool2d(3, 2), mlpconv(a, (b, b, b), 5, 1, 2)),
            nn.Sequential(nn.MaxPool2d(3, 2), mlpconv(b, (c, c, c), 3, 1, 1)),
        ]
        cure = "leave input_size out and they are enlarged to 224x224"
        rows, columns = last_map("nin", in_channels, input_size, cure, stem, *stages, pool)
        self.last = (c, rows, columns)
        neck = nn.Sequential(pool, nn.Dropout(dropout), nn.Flatten())
        super().__init__(stem, stages, neck, prod(self.last), num_classes)
        start_kaiming(self.stem, self.stages, fan="in", dense=True)

    def make_head(self, num_classes: int) -> nn.Module:
        return class_maps(self.last, mlpconv(self.last[0], (num_classes,) * 3, 3, 1, 1))
