"""Network in Network: a small perceptron at every pixel, and a mean in place of dense layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...cards.card import method


def mlpconv(in_channels: int, widths: Sequence[int], kernel: int, padding: int = 0) -> nn.Sequential:
    """A convolution, then a perceptron at each pixel (1×1 convolutions); ReLU after every one of them."""
    layers: list[nn.Module] = []
    for number, width in enumerate(widths):
        layers += [nn.Conv2d(in_channels, width, *((1, 1) if number else (kernel, 1, padding))), nn.ReLU()]
        in_channels = width
    return nn.Sequential(*layers)


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
class NiN(nn.Module):
    r"""Network in Network for small images: three convolutions, each with a perceptron at every pixel.

    The last perceptron has one map per class, whose mean is the logit: there is no dense layer. It ends in a
    ReLU as the others do, so that no logit is below zero. Weights start by Kaiming's rule, but for the last
    layer: there a class whose map starts at zero would never learn, so all start near one. Max pooling and
    average pooling 3×3 halve the map, with dropout after.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: tuple[int, int] = (32, 32),
        widths: tuple[Sequence[int], Sequence[int], Sequence[int]] = (
            (192, 160, 96),
            (192, 192, 192),
            (192, 192),
        ),
        dropout: float = 0.5,
    ):
        super().__init__()
        first, second, third = widths
        self.body = nn.Sequential(
            *(mlpconv(in_channels, first, 5, 2), nn.MaxPool2d(3, 2, 1), nn.Dropout(dropout)),
            *(mlpconv(first[-1], second, 5, 2), nn.AvgPool2d(3, 2, 1), nn.Dropout(dropout)),
            mlpconv(second[-1], third, 3, 1),
        )
        self.head = nn.Sequential(
            mlpconv(third[-1], (num_classes,), 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
                last = module
        nn.init.ones_(last.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            last.weight.mul_(0.1)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, 192, h/4, w/4)
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k)
        return self.head(self.forward_features(x))
