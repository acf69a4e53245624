"""SqueezeNet: few channels are squeezed out of many before 3×3 convolutions see them."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ..convolutional.alexnet import convolution
from ..convolutional.nin import class_maps, mlpconv
from ..image import AbstractImageNetwork, KeyMap, Size, is_small, last_map
from ..layers import start_kaiming

BYPASSES = (None, "simple", "complex")


class Fire(nn.Module):
    """1×1 to few channels, then 1×1 and 3×3 side by side, each activated; a sum with the bypass, if any."""

    def __init__(
        self,
        in_channels: int,
        squeezed: int,
        channels: int,
        bypass: nn.Module | None = None,
        activation: Choice = "relu",
    ):
        super().__init__()
        half = channels // 2
        self.squeeze = nn.Conv2d(in_channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, half, 1)
        self.expand3x3 = nn.Conv2d(squeezed, half, 3, padding=1)
        self.squeeze_activation = chosen(activation, squeezed)
        self.activation = chosen(activation, channels)
        self.bypass = bypass

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h, w)
        few = self.squeeze_activation(self.squeeze(x))
        expanded: Tensor = self.activation(torch.cat((self.expand1x1(few), self.expand3x3(few)), 1))
        return expanded if self.bypass is None else expanded + self.bypass(x)


@method(
    "squeezenet1_0",
    year=2016,
    paper="arXiv:1602.07360",
    aliases=("squeezenet",),
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (10, 10),
        "widths": ((16,), (16, 24)),
        "stem_width": 8,
        "stem_kernel": 3,
        "squeeze_ratio": 0.5,
    },
    figures={"parameters": 1_248_424, "multiply_adds": 818_924_576},
    variants={
        "squeezenet1_0_simple": {
            "bypass": "simple",
            "figures": {"parameters": 1_248_424, "multiply_adds": 818_924_576},
        },
        "squeezenet1_0_complex": {
            "bypass": "complex",
            "figures": {"parameters": 1_589_672, "multiply_adds": 1_165_298_720},
        },
        "squeezenet1_1": {
            "widths": ((128, 128), (256, 256), (384, 384, 512, 512)),
            "stem_width": 64,
            "stem_kernel": 3,
            "figures": {"parameters": 1_235_496, "multiply_adds": 349_151_936},
        },
    },
)
class SqueezeNet(AbstractImageNetwork):
    r"""SqueezeNet: eight fire modules, which squeeze the map to few channels and expand it by 1×1 and 3×3.

    `widths` are the channels that the fires of each stage give; 3×3 max pooling halves the map before each
    stage. A fire squeezes to `squeeze_ratio` of its channels, and half of them come from the 3×3 convolution.
    A `bypass` is added to fires: "simple" their input, where it has as many channels; "complex" a 1×1
    convolution of it where not, too. Version 1.1 is the authors' own, with a third of the multiply-adds: its
    stem is smaller and it pools earlier. The last 1×1 convolution has a map per class, which ends in a ReLU,
    and its mean is the logit. So features are the last map, all of its pixels. There is no batch
    normalisation. Weights start by Kaiming's rule; class maps start near one, so that none is all zero.
    Small images (64 pixels and less) meet a 3×3 stem without pooling, so that 32×32 ends as 8×8.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for another bypass, an odd width, and images too small for all poolings.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        widths: Sequence[Sequence[int]] = ((128, 128, 256), (256, 384, 384, 512), (512,)),
        stem_width: int = 96,
        stem_kernel: int = 7,
        squeeze_ratio: float = 0.125,
        bypass: str | None = None,
        activation: Choice = "relu",
        dropout: float = 0.5,
    ):
        if bypass not in BYPASSES:
            raise UsageError(f"a bypass is simple, complex or None, not {bypass!r}")
        if any(width % 2 for stage in widths for width in stage):
            raise UsageError(f"widths={tuple(widths)} must be even: half of each is 1×1, half 3×3")
        small = is_small(input_size)
        kernel, stride, padding = (3, 1, 1) if small else (stem_kernel, 2, 0)
        stem = convolution(in_channels, stem_width, kernel, stride, padding, activation=activation)
        stages = list(_stages(stem_width, widths, small, squeeze_ratio, bypass, activation))
        size = input_size or (224, 224)
        rows, columns = last_map("squeezenet", in_channels, size, "enlarge the images", stem, *stages)
        self.channels = widths[-1][-1]
        features = self.channels * rows * columns
        super().__init__(
            stem, stages, nn.Sequential(nn.Dropout(dropout), nn.Flatten()), features, num_classes
        )
        start_kaiming(self.stem, self.stages, fan="in", dense=True)
        self.key_maps = {"torchvision": _keys(widths), "pytorchcv": KEYS}  # type: ignore[misc]

    def make_head(self, num_classes: int) -> nn.Module:
        # 1×1 kernels ask not where a pixel lies, so that the map may have any shape
        return class_maps((self.channels, -1, 1), mlpconv(self.channels, (num_classes,), 1))


def _stages(
    in_channels: int,
    widths: Sequence[Sequence[int]],
    small: bool,
    squeeze_ratio: float,
    bypass: str | None,
    activation: Choice,
) -> Iterator[nn.Sequential]:
    for number, stage in enumerate(widths):
        keeps = small and number == 0
        fires = nn.Sequential(nn.Identity() if keeps else nn.MaxPool2d(3, 2, ceil_mode=True))
        for width in stage:
            around: nn.Module | None = None
            if bypass and in_channels == width:
                around = nn.Identity()
            elif bypass == "complex":
                around = nn.Conv2d(in_channels, width, 1)
            fires.append(Fire(in_channels, round(width * squeeze_ratio), width, around, activation))
            in_channels = width
        yield fires


KEYS: KeyMap = (
    (r"^features\.init_block\.conv\.", "stem.0."),
    *((rf"^features\.stage{n + 1}\.", f"stages.{n}.") for n in range(4)),
    (r"\.unit(\d)\.", r".\1."),  # the pooling is at 0
    (r"(squeeze|expand1x1|expand3x3)\.conv\.", r"\1."),
    (r"^output\.final_conv\.", "head.1.0."),
)


def _keys(widths: Sequence[Sequence[int]]) -> KeyMap:
    """torchvision's names: it counts stem, activation, poolings and fires in one row."""
    keys, place = [(r"^features\.0\.", "stem.0."), (r"^classifier\.1\.", "head.1.0.")], 2
    for number, stage in enumerate(widths):
        fires = range(1, len(stage) + 1)
        keys += [(rf"^features\.{place + fire}\.", f"stages.{number}.{fire}.") for fire in fires]
        place += len(stage) + 1
    return keys
