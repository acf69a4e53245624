"""ChannelNet: convolutions along the channels in place of dense layers between them."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ..image import AbstractImageNetwork, Size, is_small, last_map
from ..layers import conv_norm, mean_pool, start_kaiming
from .mobilenet import separable

LAST = ("pointwise", "channelwise")
CLASSIFIERS = ("dense", "convolution")


class ChannelwiseConv2d(nn.Module):
    r"""Short filters that move along the channels, the same at every position: a convolution along one axis.

    $y_{k C / g + i} = \sum_t w_k(t) x_{g i + t - p}$ for g filters of one length: each steps by g and gives
    C / g channels, filter after filter. Zeros lie beyond the first and the last channel, p of them before.
    """

    def __init__(self, length: int, filters: int = 1):
        super().__init__()
        self.filters, self.around = (
            filters,
            ((length - filters) // 2, length - filters - (length - filters) // 2),
        )
        self.conv = nn.Conv2d(1, filters, (length, 1), (filters, 1), bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> the same
        rows = F.pad(x.flatten(2)[:, None], (0, 0, *self.around))  # (b, 1, c + length - g, h w)
        return self.conv(rows).flatten(1, 2).unflatten(2, x.shape[2:])


class ChannelwiseClassifier(nn.Module):
    """One filter along the channels of a whole map: each step along them gives the logit of a class.

    It covers all positions, so that it pools as well: (channels - classes + 1) · height · width weights.
    Shapes: (batch, channels · positions) -> (batch, classes).
    """

    def __init__(self, channels: int, positions: int, classes: int):
        super().__init__()
        if classes > channels:
            raise UsageError(
                f"{classes} classes do not fit along {channels} channels: say a larger width, or "
                "classifier=dense"
            )
        self.channels = channels
        self.conv = nn.Conv2d(1, 1, (channels - classes + 1, positions), bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (b, c h w) -> (b, k)
        if x.shape[1] != self.channels * self.conv.kernel_size[1]:
            raise UsageError(
                f"this classifier was made for maps of {self.conv.kernel_size[1]} positions, and not for "
                f"{x.shape[1] / self.channels:g}: build the network with the input_size of the images"
            )
        y: Tensor = self.conv(x.unflatten(1, (1, self.channels, -1)))
        return y.flatten(1)


def channelwise_separable(channels: int, length: int, activation: Choice) -> nn.Sequential:
    """A depthwise 3×3 layer, then a filter along the channels, each normalised."""
    depthwise = conv_norm(channels, channels, 3, 1, channels, activation=activation)
    norm = nn.BatchNorm2d(channels)
    return nn.Sequential(*depthwise, ChannelwiseConv2d(length), norm, chosen(activation, channels))


class GroupModule(nn.Module):
    """Two layers in groups and the identity around them; with `mixes`, filters along channels go first."""

    def __init__(self, channels: int, groups: int, mixes: bool, activation: Choice):
        super().__init__()
        first = [ChannelwiseConv2d(4 * groups, groups)] if mixes else []
        layers = (separable(channels, channels, activation=activation, groups=groups) for _ in range(2))
        self.body = nn.Sequential(*first, *layers)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> the same
        y: Tensor = x + self.body(x)
        return y


@method(
    "channelnet_v1",
    year=2018,
    paper="arXiv:1809.01330",
    aliases=("channelnet",),
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
        "width": 2,
        "length": 5,
    },
    figures={"parameters": 3_714_376, "multiply_adds": 468_488_704},
    variants={
        "channelnet_v2": {
            "last": "channelwise",
            "figures": {"parameters": 2_665_864, "multiply_adds": 420_319_744},
        },
        "channelnet_v3": {
            "last": "channelwise",
            "classifier": "convolution",
            "figures": {"parameters": 1_642_089, "multiply_adds": 420_520_744},
        },
    },
)
class ChannelNet(AbstractImageNetwork):
    r"""ChannelNet: a MobileNet whose 1×1 layers are in groups, mixed by filters along the channels.

    A filter along the channels is the same at every position and has a handful of weights (see
    `ChannelwiseConv2d`). Three modules of two layers each stand in place of MobileNet's five widest at one
    size: their 1×1 convolutions have `groups`, and before the first two modules as many filters of 4 · groups
    weights mix the groups. v2 has one filter of `length` weights in place of the last 1×1 layer
    (`last="channelwise"`). v3 has one in place of pooling and the dense head too
    (`classifier="convolution"`): channels - classes + 1 weights at each position of the last map, 1,225 for
    1,000 classes. `width` is the stem's.
    Of the paper's 3.7, 2.7 and 1.7 million parameters the first two and 1.64 are met, its 407 million
    multiply-adds are not: as its text has the layers they are 468.
    Small images (64 pixels and less) are not halved before the third stage, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits, but with
    v3's classifier `input_size` alone.
    Errors: `UsageError` for other words than these, more classes than channels in v3, and another size there.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        width: int = 32,
        groups: int = 2,
        length: int = 64,
        last: str = "pointwise",
        classifier: str = "dense",
        activation: Choice = "relu6",
    ):
        if last not in LAST:
            raise UsageError(f"the last layer is {' or '.join(LAST)}, not {last!r}")
        if classifier not in CLASSIFIERS:
            raise UsageError(f"the classifier is {' or '.join(CLASSIFIERS)}, not {classifier!r}")
        if width < 1 or 16 * width % groups:
            raise UsageError(f"groups={groups} must divide 16 · width, and width={width}")
        halvings = (1, 1, 2, 2, 2) if is_small(input_size) else (2, 2, 2, 2, 2)
        stem = conv_norm(in_channels, width, 3, halvings[0], activation=activation)
        stages = [nn.Sequential(separable(width, 2 * width, activation=activation))]
        for k, stride in enumerate(halvings[1:], 1):
            first = separable(width * 2**k, width * 2 ** (k + 1), stride, activation=activation)
            stages.append(nn.Sequential(first))
        for stage, channels in zip(stages[1:3], (4 * width, 8 * width)):
            stage.append(separable(channels, channels, activation=activation))
        for mixes in (True, True, False):
            stages[3].append(GroupModule(16 * width, groups, mixes, activation))
        top = 32 * width
        if last == "pointwise":
            stages[4].append(separable(top, top, activation=activation))
        else:
            stages[4].append(channelwise_separable(top, length, activation))
        size = input_size or (224, 224)
        rows, columns = last_map("channelnet", in_channels, size, "enlarge the images", stem, *stages)
        self.top, self.positions = top, rows * columns
        self.classifier = classifier
        neck, features = mean_pool(), top
        if classifier == "convolution":
            neck, features = nn.Sequential(nn.Flatten()), top * self.positions
        super().__init__(stem, stages, neck, features, num_classes)
        start_kaiming(self)

    def make_head(self, num_classes: int) -> nn.Module:
        """Dense, or a filter along the channels."""
        if self.classifier == "dense":
            return super().make_head(num_classes)
        return ChannelwiseClassifier(self.top, self.positions, num_classes)
