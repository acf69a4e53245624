"""Inception's parts: tables of branches whose maps lie side by side, and heads on the way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ..image import AbstractImageNetwork, Size
from ..layers import mean_pool, start_kaiming

LEAST = 75  # pixels of a side that the networks without borders leave one pixel of


@dataclass(frozen=True)
class Units:
    """How a network makes all its convolutions: `width` multiplies the channels that its tables tell."""

    width: float = 1.0
    batch_norm: bool = True
    bias: bool = False
    eps: float = 1e-3
    activation: Choice = "relu"

    def scaled(self, channels: int) -> int:
        """The channels of the network that the table's become."""
        return max(1, round(self.width * channels))


class Layer(Protocol):
    """What stands in a table: with the channels before it known, it makes a module and tells its channels."""

    def make(self, in_channels: int, units: Units) -> tuple[nn.Module, int]: ...


@dataclass(frozen=True)
class Conv:
    """A convolution, batch normalisation if wanted, and an activation; `valid` without a border of zeros."""

    channels: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1
    valid: bool = False

    def make(self, in_channels: int, units: Units) -> tuple[nn.Module, int]:
        kernel = (self.kernel, self.kernel) if isinstance(self.kernel, int) else self.kernel
        border = (0, 0) if self.valid else (kernel[0] // 2, kernel[1] // 2)
        channels = units.scaled(self.channels)
        conv = nn.Conv2d(in_channels, channels, kernel, self.stride, border, bias=units.bias)
        norm = [nn.BatchNorm2d(channels, units.eps)] if units.batch_norm else []
        return nn.Sequential(conv, *norm, chosen(units.activation, channels)), channels


@dataclass(frozen=True)
class Keep:
    """A layer that keeps the channels, such as a pooling."""

    maker: Callable[[], nn.Module]

    def make(self, in_channels: int, units: Units) -> tuple[nn.Module, int]:
        return self.maker(), in_channels


@dataclass(frozen=True)
class Split:
    """Branches that all read the same map: each is a row of layers."""

    branches: tuple[Sequence[Layer], ...]

    def make(self, in_channels: int, units: Units) -> tuple[nn.Module, int]:
        made = [chain(in_channels, branch, units) for branch in self.branches]
        return Branches(module for module, _ in made), sum(channels for _, channels in made)


class Branches(nn.ModuleList):
    """Modules that read the same map; their maps are concatenated."""

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, sum of the branches' c, h', w')
        return torch.cat([branch(x) for branch in self], 1)


def chain(in_channels: int, layers: Iterable[Layer], units: Units) -> tuple[nn.Sequential, int]:
    """Layers of a table one after another, and the channels of the last."""
    made, channels = nn.Sequential(), in_channels
    for layer in layers:
        module, channels = layer.make(channels, units)
        made.append(module)
    return made, channels


def block(*branches: Sequence[Layer]) -> Split:
    """A block as the table of its branches."""
    return Split(branches)


MAX = Keep(partial(nn.MaxPool2d, 3, 2))  # halves the map, without a border
MEAN = Keep(partial(nn.AvgPool2d, 3, 1, 1))
MEAN_INSIDE = Keep(partial(nn.AvgPool2d, 3, 1, 1, count_include_pad=False))  # of what the image has


class AuxiliaryHead(nn.Module):
    """A head on the way: from a map to `features` numbers, and an affine map to logits."""

    def __init__(self, body: nn.Sequential, features: int, num_classes: int):
        super().__init__()
        self.body, self.features = body, features
        self.reset(num_classes)

    def reset(self, num_classes: int) -> None:
        """A fresh affine map for so many classes; none for 0."""
        like = next(self.body.parameters())
        head = nn.Linear(self.features, num_classes) if num_classes else nn.Identity()
        self.head = head.to(like.device, like.dtype)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k)
        logits: Tensor = self.head(self.body(x))
        return logits


class AbstractInception(AbstractImageNetwork):
    """A network out of tables: stem, stages, and the `last` layers before the mean over the map.

    `auxiliary` makes heads from the channels of a stage's map, by the stage's number from 0. In training the
    learner adds their losses, `auxiliary_weight` of each, to the network's own.
    """

    def __init__(
        self,
        in_channels: int,
        stem: Sequence[Layer],
        stages: Sequence[Sequence[Layer]],
        units: Units,
        num_classes: int,
        dropout: float,
        last: Sequence[Layer] = (),
        auxiliary: Mapping[int, Callable[[int], AuxiliaryHead]] | None = None,
        auxiliary_weight: float = 0.0,
    ):
        first, channels = chain(in_channels, stem, units)
        made, heads = [], {}
        for number, stage in enumerate(stages):
            module, channels = chain(channels, stage, units)
            made.append(module)
            if auxiliary and number in auxiliary:
                heads[number] = auxiliary[number](channels)
        end, channels = chain(channels, last, units)
        neck = nn.Sequential(*end, *mean_pool(), nn.Dropout(dropout))
        super().__init__(first, made, neck, channels, num_classes)
        self.auxiliary = nn.ModuleList(heads.values())
        self.tapped = tuple(heads)
        self.auxiliary_weight = auxiliary_weight if heads else 0.0
        start_kaiming(self, fan="in")
        start_kaiming(*(head.body for head in heads.values()), fan="in", dense=True)

    def forward_all(self, x: Tensor) -> tuple[Tensor, ...]:  # (b, c, h, w) -> (b, k) of each head
        """The logits, and after them those of the auxiliary heads, from the first on."""
        maps = self.feature_maps(x)
        logits = self.head(self.neck(maps[-1]))
        taken = zip(self.tapped, self.auxiliary, strict=True)
        return logits, *(head(maps[stage]) for stage, head in taken)

    def reset_head(self, num_classes: int) -> Self:
        """Fresh heads for so many classes, the auxiliary ones too; none for 0."""
        for part in self.modules():
            if isinstance(part, AuxiliaryHead):
                part.reset(num_classes)
        return super().reset_head(num_classes)


def large_enough(name: str, input_size: Size, least: int = LEAST, why: str = "") -> None:
    """Raises UsageError for images that leave nothing of the last map."""
    if min(input_size) < least:
        raise UsageError(
            f"{name} needs images of at least {least}x{least}{why}, not {input_size[0]}x{input_size[1]}: "
            "leave input_size out and they are enlarged to 299x299"
        )
