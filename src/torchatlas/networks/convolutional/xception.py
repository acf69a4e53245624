"""Xception: residual blocks of convolutions that look at pixels and at channels apart."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, mean_pool, start_kaiming


def separable(in_channels: int, channels: int) -> nn.Sequential:
    """A 3×3 convolution of each channel, then a 1×1 convolution, with nothing between; then batch norm."""
    each = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    pair = nn.Sequential(each, nn.Conv2d(in_channels, channels, 1, bias=False))
    return nn.Sequential(pair, nn.BatchNorm2d(channels))


class XceptionBlock(nn.Module):
    """Separable convolutions, each after an activation, max pooling if the map is halved, and the shortcut.

    `widths` are the channels after each convolution. The first block has no activation at its start. Where
    the shape changes, a normalised 1×1 convolution is the shortcut; nothing follows the sum.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        stride: int = 1,
        activated: bool = True,
        activation: Choice = "relu",
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.body, width = nn.Sequential(), in_channels
        for number, channels in enumerate(widths):
            if number or activated:
                self.body.append(chosen(activation, width))
            self.body.extend(separable(width, channels))
            width = channels
        if stride > 1:
            self.body.append(nn.MaxPool2d(3, stride, 1))
        if drop_path:
            self.body.append(StochasticDepth(drop_path))
        same = stride == 1 and in_channels == width
        around = nn.Identity() if same else conv_norm(in_channels, width, 1, stride, activation=None)
        self.shortcut: nn.Module = around

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        return self.body(x) + self.shortcut(x)


KEYS: KeyMap = (
    (r"^conv1\.", "stem.0.0."),
    (r"^bn1\.", "stem.0.1."),
    (r"^conv2\.", "stem.1.0."),
    (r"^bn2\.", "stem.1.1."),
    (r"^block1\.", "stages.0.block1."),
    (r"^block2\.", "stages.1.block2."),
    (r"^block([3-9]|10|11)\.", r"stages.2.block\1."),
    (r"^block12\.", "stages.3.block12."),
    (r"^conv3\.", "neck.0."),
    (r"^bn3\.", "neck.1."),
    (r"^conv4\.", "neck.3."),
    (r"^bn4\.", "neck.4."),
    (r"\.rep\.", ".body."),
    (r"\.skip\.", ".shortcut.0."),
    (r"\.skipbn\.", ".shortcut.1."),
    (r"\.conv1\.", ".0."),
    (r"\.pointwise\.", ".1."),
    (r"^fc\.", "head."),
)


@method(
    "xception",
    year=2016,
    paper="arXiv:1610.02357",
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 1e-5,
        "lr": 0.05,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "stem": (4, 8),
        "entry": (8, 12),
        "middle": 1,
        "exit": (12, 16, 16, 16),
        "dropout": 0.0,
    },
    figures={"parameters": 22_855_952, "multiply_adds": 8_357_403_496, "at": {"input_size": (299, 299)}},
)
class Xception(AbstractImageNetwork):
    """Xception: separable convolutions alone, with shortcuts around two or three of them.

    An entry flow whose blocks halve the map (`entry` tells the channels of each), `middle` blocks of three
    convolutions as wide as the last of them, and an exit flow: a block of two widths that halves the map,
    then two convolutions (`exit` tells all four). Unlike in an Inception block, no activation stands between
    the convolution over pixels and that over channels. The paper has 299×299 pixels. `dropout` stands
    before the head; `drop_path` is stochastic depth's last rate.
    The stem's convolutions, `stem` channels wide, pad nothing. For small images (64 pixels and less) they do
    and neither the first nor the first block halves, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for tables without two widths in `stem`, one or more in `entry` and four in `exit`.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        stem: tuple[int, int] = (32, 64),
        entry: Sequence[int] = (128, 256, 728),
        middle: int = 8,
        exit: tuple[int, int, int, int] = (728, 1024, 1536, 2048),
        activation: Choice = "relu",
        drop_path: float = 0.0,
        dropout: float = 0.5,
    ):
        if len(stem) != 2 or not entry or len(exit) != 4:
            raise UsageError(f"two widths in stem, some in entry, four in exit; not {stem}, {entry}, {exit}")
        small, (first, width) = is_small(input_size), stem
        begin = nn.Sequential(
            conv_norm(in_channels, first, 3, 1 if small else 2, activation=activation, padding=int(small)),
            conv_norm(first, width, 3, activation=activation, padding=int(small)),
        )
        rows = [(w, w) for w in entry] + [(entry[-1],) * 3] * middle + [tuple(exit[:2])]
        rates = drop_rates(len(rows), drop_path)
        stages: list[nn.Sequential] = []
        for number, (row, rate) in enumerate(zip(rows, rates, strict=True), 1):
            halves = number <= len(entry) or number == len(rows)
            stride = 2 if halves and not (small and number == 1) else 1
            block = XceptionBlock(width, row, stride, number > 1, activation, rate)
            if halves:
                stages.append(nn.Sequential())
            stages[-1].add_module(f"block{number}", block)
            width = row[-1]
        ends = []
        for channels in exit[2:]:
            ends += [*separable(width, channels), chosen(activation, channels)]
            width = channels
        neck = nn.Sequential(*ends, *mean_pool(), nn.Dropout(dropout))
        super().__init__(begin, stages, neck, width, num_classes)
        start_kaiming(self)
