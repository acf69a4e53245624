"""The octave convolution: some channels are kept at half the size, for what changes slowly."""

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..pooling.windows import window_means
from .windows import Size, pair

Maps = Tensor | tuple[Tensor, Tensor]  # high frequencies alone, or high and low


@method(
    "octave_conv",
    year=2019,
    paper="arXiv:1904.05049",
    aliases=("octconv",),
    tiny={
        "in_channels": 4,
        "out_channels": 4,
        "kernel_size": 3,
        "padding": 1,
        "alpha_in": 0.0,
        "alpha_out": 0.0,
    },
)
class OctaveConv2d(nn.Module):
    r"""Octave convolution: high frequencies on the whole map, low ones on half the size, and both ways.

    $y_H = f_{HH}(x_H) + \mathrm{up}(f_{LH}(x_L))$ and $y_L = f_{LL}(x_L) + f_{HL}(\mathrm{pool}(x_H))$, f
    convolutions, pool the mean of 2×2 pixels, up each pixel four times. `alpha_in` and `alpha_out` are the
    shares of low channels (rounded down): 0 in a network's first layer's input and its last one's output,
    where a map is a plain tensor; elsewhere it is a pair (high, low). Stride 2 halves the maps by means
    before it convolves. With $\alpha = 0$ on both sides it is a convolution; its products are
    $1 - \frac{3}{4} \alpha (2 - \alpha)$ of one's. Maps of odd size have low ones of half the size, rounded
    up.
    Shapes: (batch, in, h, w), or (batch, in - low, h, w) and (batch, low, h / 2, w / 2) -> likewise.
    Errors: `UsageError` for shares outside [0, 1), a stride other than 1 or 2, a padding that does not keep
    the size where low maps come in at stride 1, or a tensor where a pair is due.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: int = 1,
        padding: Size = 0,
        dilation: Size = 1,
        bias: bool = True,
        alpha_in: float = 0.5,
        alpha_out: float = 0.5,
    ):
        super().__init__()
        if not (0 <= alpha_in < 1 and 0 <= alpha_out < 1):
            raise UsageError(f"shares of low channels are from 0 to below 1, not {alpha_in} and {alpha_out}")
        if stride not in (1, 2):
            raise UsageError(f"octave_conv's stride is 1 or 2, not {stride}")
        low_in, low_out, self.stride = int(alpha_in * in_channels), int(alpha_out * out_channels), stride
        sides = zip(pair(kernel_size), pair(padding), pair(dilation))
        if low_in and stride == 1 and any(2 * p != d * (k - 1) for k, p, d in sides):
            raise UsageError(
                "octave_conv adds low maps at twice their size: with stride 1 its padding must keep the "
                f"size, dilation * (kernel_size - 1) / 2, not padding={padding}"
            )

        def path(inputs: int, outputs: int, biased: bool) -> nn.Conv2d | None:
            if not inputs or not outputs:
                return None
            return nn.Conv2d(inputs, outputs, kernel_size, 1, padding, dilation, bias=biased)

        self.high_high = path(in_channels - low_in, out_channels - low_out, bias)
        self.high_low = path(in_channels - low_in, low_out, bias)
        self.low_high = path(low_in, out_channels - low_out, False)
        self.low_low = path(low_in, low_out, False)

    def forward(self, x: Maps) -> Maps:
        high, low = (x, None) if isinstance(x, Tensor) else x
        if (low is None) != (self.low_high is None):
            raise UsageError(
                "with alpha_in above 0 octave_conv takes (high, low), with 0 one tensor: let alpha_in be the "
                "alpha_out of the layer before"
            )
        if self.stride == 2:
            high = _half(high)
        assert self.high_high is not None
        y_high: Tensor = self.high_high(high)
        if low is not None and self.low_high is not None:
            added = self.low_high(low)  # with stride 2 the low map has the new size already
            y_high = y_high + (added if self.stride == 2 else _doubled(added, y_high))
        if self.high_low is None:
            return y_high
        y_low: Tensor = self.high_low(_half(high))
        if low is not None and self.low_low is not None:
            y_low = y_low + self.low_low(_half(low) if self.stride == 2 else low)
        return y_high, y_low


def _half(x: Tensor) -> Tensor:
    """Means of 2×2 pixels; of fewer at an odd border."""
    return window_means(x, 2)


def _doubled(x: Tensor, like: Tensor) -> Tensor:
    """Each pixel four times, cut to the size of another map."""
    large = x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).flatten(4).flatten(2, 3)
    return large[:, :, : like.shape[2], : like.shape[3]]
