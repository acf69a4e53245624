"""Gates: a map times numbers that follow from the map itself."""

from torch import Tensor, nn

from ...engine.errors import UsageError
from ..normalization.batch import wide


class AbstractGate(nn.Module):
    """A map times what a member makes of it, $x · gate(x)$; the numbers lie between 0 and 1 in most.

    Shapes: (batch, channels, height, width) -> the same.
    """

    def gate(self, x: Tensor) -> Tensor:
        """What the map is multiplied by, in a shape that broadcasts to the map's."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def mean_of_map(x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, 1, 1)
    """The mean of each channel over all positions."""
    return x.mean((2, 3), keepdim=True)


def moments(x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance over dimensions, kept; in single precision at least, and silent for no samples."""
    numbers = wide(x)
    mean = numbers.mean(dims, keepdim=True)
    return mean, (numbers - mean).square().mean(dims, keepdim=True)


def between(channels: int, reduction: int, least: int = 1) -> int:
    """How many channels are left when they are so many times fewer, `least` at least."""
    if channels < 1 or reduction < 1:
        raise UsageError(f"channels={channels} and reduction={reduction} must both be 1 or more")
    return max(least, channels // reduction)


def one_of(word: str, value: str, choices: tuple[str, ...]) -> str:
    """The value, if it is among the choices; UsageError names them where not."""
    if value not in choices:
        raise UsageError(f"there is no {word}={value!r}: say one of {', '.join(choices)}")
    return value


def divided(channels: int, parts: int, what: str = "groups") -> int:
    """The size of each of so many equal parts; UsageError where they do not come out even."""
    if parts < 1 or channels % parts:
        raise UsageError(f"{channels} channels do not fall into {parts} {what} of one size")
    return channels // parts


def bottleneck(channels: int, reduction: int = 16, bias: bool = True, norm: bool = False) -> nn.Sequential:
    """1×1 convolutions to `reduction` times fewer channels and back, ReLU between.

    On a map of one position these are the affine maps of squeeze-and-excitation. norm: batch normalisation
    before ReLU.
    """
    hidden = between(channels, reduction)
    norms = [nn.BatchNorm2d(hidden)] if norm else []
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 1, bias=bias),
        *norms,
        nn.ReLU(),
        nn.Conv2d(hidden, channels, 1, bias=bias),
    )
