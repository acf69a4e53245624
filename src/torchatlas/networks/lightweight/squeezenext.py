"""SqueezeNext: residual units that squeeze twice, and 3×3 convolutions as 3×1 and 1×3."""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import AbstractImageNetwork, Size, is_small
from ..layers import conv_norm, mean_pool, start_kaiming


class SqueezeUnit(nn.Module):
    """1×1 to half of `channels`, 1×1 to a quarter, two of 3×1 and 1×3, 1×1 back; a sum with what came in.

    Each convolution is normalised and activated, the last one too. Where a shortcut is wanted, a 1×1
    convolution stands there. The first 1×1 and the two in the middle are in `groups`; `turned` lets 1×3
    come first.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        groups: int = 1,
        turned: bool = False,
        project: bool = False,
        activation: Choice = "relu",
        drop_path: float = 0.0,
    ):
        super().__init__()
        half, quarter = channels // 2, channels // 4
        kernels = ((1, 3), (3, 1)) if turned else ((3, 1), (1, 3))
        self.body = nn.Sequential(
            conv_norm(in_channels, half, 1, stride, groups, activation=activation),
            conv_norm(half, quarter, activation=activation),
            conv_norm(quarter, half, kernels[0], groups=groups, activation=activation),
            conv_norm(half, half, kernels[1], groups=groups, activation=activation),
            conv_norm(half, channels, activation=activation),
            *([StochasticDepth(drop_path)] if drop_path else []),
        )
        around = conv_norm(in_channels, channels, 1, stride, activation=activation)
        self.shortcut = around if project else nn.Identity()
        self.activation = chosen(activation, channels)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        return self.activation(self.body(x) + self.shortcut(x))


@method(
    "squeezenext",
    year=2018,
    paper="arXiv:1803.10615",
    aliases=("sqnxt23",),
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
        "input_size": (8, 8),
        "layers": (2, 1),
        "width": 16,
        "stem_width": 8,
        "features": 16,
    },
    figures={
        "parameters": 718_280,
        "multiply_adds": 277_999_808,
        "at": {"input_size": (227, 227)},
    },
    variants={
        "squeezenext_g": {
            "groups": 2,
            "figures": {
                "parameters": 544_072,
                "multiply_adds": 224_191_552,
                "at": {"input_size": (227, 227)},
            },
        },
        "squeezenext_v5": {
            "layers": (2, 4, 14, 1),
            "stem_kernel": 5,
            "transition": "shared",
            "figures": {
                "parameters": 931_016,
                "multiply_adds": 224_916_480,
                "at": {"input_size": (227, 227)},
            },
        },
        "squeezenext_x2": {
            "width": 64,
            "figures": {
                "parameters": 2_362_728,
                "multiply_adds": 742_070_464,
                "at": {"input_size": (227, 227)},
            },
        },
        "squeezenext_v5_x2": {
            "layers": (2, 4, 14, 1),
            "width": 64,
            "stem_kernel": 5,
            "transition": "shared",
            "figures": {
                "parameters": 3_223_912,
                "multiply_adds": 702_592_000,
                "at": {"input_size": (227, 227)},
            },
        },
    },
)
class SqueezeNext(AbstractImageNetwork):
    r"""SqueezeNext: units that squeeze to a half and a quarter of the channels, then convolve 3×1 and 1×3.

    The two change places from unit to unit. This is the authors' network 1.0-SqNxt-23, for 227×227: a 7×7
    convolution and pooling, four stages of `layers` units with `width`, 2, 4 and 8 times `width` channels,
    each but the first halving the map, and a 1×1 convolution to `features`. `squeezenext_g` has 1.0-G-SqNxt's
    `groups`; `squeezenext_v5` moves units to where devices are busiest, begins 5×5 (`stem_kernel`), and has
    another `transition`: a stage's first unit stands on the projection of its input ("shared"), rather than
    beside it ("beside"). `squeezenext_x2` and `squeezenext_v5_x2` double the stages' widths alone.
    `drop_path` is stochastic depth's last rate.
    Small images (64 pixels and less) meet a 3×3 stem without pooling, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for another transition, and for a width that the groups do not divide.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (6, 6, 8, 1),
        width: int = 32,
        groups: int = 1,
        stem_kernel: int = 7,
        stem_width: int = 64,
        transition: str = "beside",
        features: int = 128,
        activation: Choice = "relu",
        drop_path: float = 0.0,
    ):
        if transition not in ("beside", "shared"):
            raise UsageError(f"a transition is beside or shared, not {transition!r}")
        if width % (4 * groups) or stem_width % groups:
            raise UsageError(
                f"width={width} must be a multiple of 4 · groups = {4 * groups}, and "
                f"stem_width={stem_width} one of {groups}"
            )
        if is_small(input_size):
            stem = conv_norm(in_channels, stem_width, 3, activation=activation)
        else:
            stem = conv_norm(in_channels, stem_width, stem_kernel, 2, activation=activation, padding=0)
            stem.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        table = [(units, width * 2**k) for k, units in enumerate(layers)]
        stages = _stages(stem_width, table, groups, transition == "shared", activation, drop_path)
        last = table[-1][1]
        neck = nn.Sequential(conv_norm(last, features, activation=activation), *mean_pool())
        super().__init__(stem, stages, neck, features, num_classes)
        start_kaiming(self)


def _stages(
    before: int,
    table: Sequence[tuple[int, int]],
    groups: int,
    shared: bool,
    activation: Choice,
    drop_path: float,
) -> Iterator[nn.Sequential]:
    number, rates = 0, drop_rates(sum(units for units, _ in table), drop_path)
    for place, (units, width) in enumerate(table):
        stage, stride = nn.Sequential(), 2 if place else 1
        if shared:
            stage.append(conv_norm(before, width, 1, stride, activation=activation))
            before, stride = width, 1
        for k in range(units):
            project = k == 0 and not shared
            turned, rate = bool(number % 2), rates[number]
            stage.append(SqueezeUnit(before, width, stride, groups, turned, project, activation, rate))
            before, stride, number = width, 1, number + 1
        yield stage
