"""The block of mobile networks, wide within and narrow between, and what their networks share around it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from ...nn.attention.squeeze_excitation import SqueezeExcite
from ...nn.choosing import Choice
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import KeyMap
from ..layers import conv_norm, mean_pool


class Row(NamedTuple):
    """One block: its channels out and within, and how it gets there.

    squeezed: channels between the two layers of squeeze-and-excitation; 0: none. fused: one dense convolution
    in place of the expansion and the depthwise one.
    """

    channels: int
    within: int
    kernel: int = 3
    stride: int = 1
    squeezed: int = 0
    activation: Choice = "relu6"
    fused: bool = False


class InvertedResidual(nn.Module):
    """A 1×1 convolution to more channels, a depthwise one, squeeze-and-excitation, and 1×1 to few: x + F(x).

    The last convolution is linear, and nothing is activated after the sum. There is a shortcut only where
    neither the channels nor the size of the map change, and no first convolution where it would not widen. A
    fused block that does not widen is its dense convolution alone. squeeze: the activations of
    squeeze-and-excitation. eps: that of batch normalisation. drop_path: the rate at which training leaves F
    out where there is a shortcut.
    """

    def __init__(
        self,
        in_channels: int,
        row: Row,
        squeeze: tuple[Choice, Choice] = ("relu", "sigmoid"),
        eps: float = 1e-5,
        drop_path: float = 0.0,
    ):
        super().__init__()
        channels, within, kernel, stride, squeezed, activation, fused = row
        widens, self.body = within != in_channels, nn.Sequential()

        def add(name: str, before: int, after: int, *size: int, active: Choice | None = activation) -> None:
            self.body.add_module(name, conv_norm(before, after, *size, activation=active, eps=eps))

        if fused:
            add("fused", in_channels, within if widens else channels, kernel, stride)
        elif widens:
            add("expand", in_channels, within)
        if not fused:
            add("depthwise", within, within, kernel, stride, within)
        if squeezed:
            self.body.add_module("gate", SqueezeExcite(within, squeezed, *squeeze))
        if widens or not fused:
            add("project", within, channels, active=None)
        self.around = stride == 1 and in_channels == channels
        if self.around and drop_path:
            self.body.add_module("drop", StochasticDepth(drop_path))

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h/stride, w/stride)
        changed: Tensor = self.body(x)
        return x + changed if self.around else changed


def repeated(
    in_channels: int,
    expansion: int,
    channels: int,
    count: int,
    stride: int,
    kernel: int = 3,
    squeeze: float = 0.0,
    activation: Choice = "relu6",
    fused: bool = False,
) -> list[Row]:
    """The rows of a stage of equal blocks, of which the first changes the channels and the size.

    Squeeze-and-excitation has a part `squeeze` of the channels that the block is given.
    """
    rows = []
    for number in range(count):
        squeezed = max(1, int(squeeze * in_channels)) if squeeze else 0
        size = (kernel, 1 if number else stride)
        rows.append(Row(channels, expansion * in_channels, *size, squeezed, activation, fused))
        in_channels = channels
    return rows


def inverted_stages(
    make: Callable[..., nn.Module],
    in_channels: int,
    table: Sequence[Sequence[Row]],
    small: bool = False,
    drop_path: float = 0.0,
) -> Iterator[nn.Sequential]:
    """Stages of blocks, one for each row; for small images the first halving is left out.

    The rates at which blocks are left out rise from block to block, to `drop_path`.
    """
    rates = iter(drop_rates(sum(map(len, table)), drop_path))
    for rows in table:
        stage = nn.Sequential()
        for row in rows:
            if small and row.stride > 1:
                row, small = row._replace(stride=1), False
            stage.append(make(in_channels, row, drop_path=next(rates)))
            in_channels = row.channels
        yield stage


def wide_neck(
    in_channels: int, features: int, activation: Choice, eps: float = 1e-5, dropout: float = 0.0
) -> nn.Sequential:
    """A 1×1 convolution to the features, and their mean over the map."""
    layers = conv_norm(in_channels, features, activation=activation, eps=eps)
    return nn.Sequential(layers, *mean_pool(), nn.Dropout(dropout))


# timm's names; its blocks of the first stage are without an expansion.
KEYS_TIMM: KeyMap = (
    (r"^conv_stem\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"^conv_head\.", "neck.0.0."),
    (r"^bn2\.", "neck.0.1."),
    (r"^classifier\.", "head."),
    (r"^blocks\.(\d+)\.(\d+)\.", r"stages.\1.\2.body."),
    (r"^(stages\.0\..*)\.bn1\.", r"\1.depthwise.1."),
    (r"^(stages\.0\..*)\.conv_pw\.", r"\1.project.0."),
    (r"^(stages\.0\..*)\.bn2\.", r"\1.project.1."),
    (r"\.conv_pw\.", ".expand.0."),
    (r"\.bn1\.", ".expand.1."),
    (r"\.conv_dw\.", ".depthwise.0."),
    (r"\.bn2\.", ".depthwise.1."),
    (r"\.se\.conv_reduce\.", ".gate.excite.0."),
    (r"\.se\.conv_expand\.", ".gate.excite.2."),
    (r"\.conv_pwl\.", ".project.0."),
    (r"\.bn3\.", ".project.1."),
)

# torchvision's names of what is in a block, once its place is called ours; for the first stage, others.
KEYS_BLOCK: KeyMap = (
    (r"\.block\.\d\.fc1\.", ".body.gate.excite.0."),
    (r"\.block\.\d\.fc2\.", ".body.gate.excite.2."),
    (r"^(stages\.0\..*)\.block\.0\.", r"\1.body.depthwise."),
    (r"^(stages\.0\..*)\.block\.[12]\.", r"\1.body.project."),
    (r"\.block\.0\.", ".body.expand."),
    (r"\.block\.1\.", ".body.depthwise."),
    (r"\.block\.[23]\.", ".body.project."),
)


def numbered(counts: Sequence[int]) -> KeyMap:
    """torchvision's names of stem, blocks and last convolution where these are numbered one after another."""
    places = [(stage, block) for stage, count in enumerate(counts) for block in range(count)]
    blocks = [
        (rf"^features\.{number}\.", f"stages.{stage}.{block}.")
        for number, (stage, block) in enumerate(places, 1)
    ]
    last = (rf"^features\.{len(places) + 1}\.", "neck.0.")
    return ((r"^features\.0\.", "stem."), *blocks, last)
