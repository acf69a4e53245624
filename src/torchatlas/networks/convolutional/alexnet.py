"""AlexNet: five convolutions and three dense layers, and what networks of its kind share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...nn.choosing import Choice, chosen
from ..image import AbstractImageNetwork, KeyMap, Size, last_map
from ..layers import start_kaiming


def convolution(
    in_channels: int,
    channels: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    activation: Choice = "relu",
) -> nn.Sequential:
    """A convolution with bias, and an activation."""
    conv = nn.Conv2d(in_channels, channels, kernel, stride, padding, groups=groups)
    return nn.Sequential(conv, chosen(activation, channels))


class ResponseNorm(nn.Module):
    r"""The paper's response normalisation, $x_i / (k + \alpha \sum_j x_j^2)^{3/4}$: 5 channels around i."""

    def __init__(self, alpha: float = 1e-4, k: float = 2.0):
        super().__init__()
        self.alpha, self.k = alpha, k

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        # PyTorch divides its alpha by the 5 channels; pixels in one row, as it takes bfloat16 then alone
        normed = F.local_response_norm(x.flatten(2), 5, alpha=5 * self.alpha, k=self.k)
        return normed.reshape(x.shape)


def hidden_layers(
    features: int,
    widths: Iterable[int],
    activation: Choice = "relu",
    dropout: float = 0.5,
    dropout_first: bool = False,
) -> Iterator[nn.Sequential]:
    """Dense layers with an activation; dropout on what each gives, or (`dropout_first`) what it is given."""
    for width in widths:
        layer = (nn.Linear(features, width), chosen(activation, width))
        drop = nn.Dropout(dropout)
        yield nn.Sequential(drop, *layer) if dropout_first else nn.Sequential(*layer, drop)
        features = width


# torchvision's dense layers have dropout before them, pytorchcv's after.
KEYS: KeyMap = (
    (r"^features\.0\.", "stem.0."),
    (r"^features\.3\.", "stages.0.1.0."),
    (r"^features\.6\.", "stages.1.1.0."),
    (r"^features\.8\.", "stages.1.2.0."),
    (r"^features\.10\.", "stages.1.3.0."),
    (r"^classifier\.1\.", "neck.3.1."),
    (r"^classifier\.4\.", "neck.4.1."),
    (r"^classifier\.6\.", "head."),
)
KEYS_PYTORCHCV: KeyMap = (
    (r"^features\.stage1\.unit1\.conv\.", "stem.0."),
    (r"^features\.stage2\.unit1\.conv\.", "stages.0.1.0."),
    (r"^features\.stage3\.unit(\d)\.conv\.", r"stages.1.\1.0."),
    (r"^output\.fc1\.fc\.", "neck.3.0."),
    (r"^output\.fc2\.fc\.", "neck.4.0."),
    (r"^output\.fc3\.", "head."),
)


@method(
    "alexnet",
    year=2012,
    paper="Krizhevsky et al., ImageNet classification with deep convolutional neural networks, NeurIPS",
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (67, 67),
        "widths": (8, 8, 8, 8, 8),
        "hidden": (32, 32),
        "dropout": 0.1,
    },
    figures={"parameters": 60_965_224, "multiply_adds": 724_406_816},
    variants={
        "alexnet_torchvision": {
            "input_size": (224, 224),
            "widths": (64, 192, 384, 256, 256),
            "groups": 1,
            "padding": 2,
            "normalized": False,
            "grid": (6, 6),
            "dropout_first": True,
            "year": 2014,
            "paper": "arXiv:1404.5997",
            "figures": {"parameters": 61_100_840, "multiply_adds": 714_188_480},
        },
        "alexnet_d2l": {
            "input_size": (224, 224),
            "groups": 1,
            "padding": 1,
            "normalized": False,
            "figures": {"parameters": 50_844_008, "multiply_adds": 1_009_945_728},
        },
    },
)
class AlexNet(AbstractImageNetwork):
    r"""AlexNet: convolutions 11×11/4, 5×5 and three 3×3, max pooling 3×3/2 after 1, 2 and 5, dense layers.

    `widths` are the maps of the convolutions. The second, fourth and fifth have two `groups`, one for each of
    the paper's two cards; response normalisation follows the activation of the first two (`normalized`).
    Dropout falls on what the `hidden` layers give. Images of 227×227 meet no `padding`: the paper's 224 leave
    a border out. Weights start by Kaiming's rule, where the paper drew them with deviation 0.01.

    `alexnet_torchvision` is the later form with a single tower, narrower and without normalisation, that
    torchvision trained; a mean over a `grid` of 6×6 comes before its dense layers, which have dropout before
    them (`dropout_first`), so that larger images fit. `alexnet_d2l` is a textbook's: the paper's widths,
    no groups, no normalisation.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes).
    Errors: `UsageError` for images too small for all poolings.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"torchvision": KEYS, "pytorchcv": KEYS_PYTORCHCV}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size = (227, 227),
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        groups: int = 2,
        padding: int = 0,
        normalized: bool = True,
        grid: Size | None = None,
        hidden: Sequence[int] = (4096, 4096),
        activation: Choice = "relu",
        dropout: float = 0.5,
        dropout_first: bool = False,
    ):
        a, b, c, d, e = widths
        stem = convolution(in_channels, a, 11, 4, padding, 1, activation)
        second = convolution(a, b, 5, 1, 2, groups, activation)
        if normalized:
            stem.append(ResponseNorm())
            second.append(ResponseNorm())
        third = (
            convolution(b, c, 3, 1, 1, 1, activation),
            convolution(c, d, 3, 1, 1, groups, activation),
            convolution(d, e, 3, 1, 1, groups, activation),
        )
        stages = [nn.Sequential(nn.MaxPool2d(3, 2), second), nn.Sequential(nn.MaxPool2d(3, 2), *third)]
        pool = nn.MaxPool2d(3, 2)
        cure = "leave input_size out and they are enlarged to 227x227"
        rows, columns = last_map("alexnet", in_channels, input_size, cure, stem, *stages, pool)
        rows, columns = grid or (rows, columns)
        mean = nn.AdaptiveAvgPool2d(grid) if grid else nn.Identity()
        dense = hidden_layers(e * rows * columns, hidden, activation, dropout, dropout_first)
        neck = nn.Sequential(pool, mean, nn.Flatten(), *dense)
        super().__init__(stem, stages, neck, [e * rows * columns, *hidden][-1], num_classes)
        start_kaiming(self.stem, self.stages, self.neck, fan="in", dense=True)
