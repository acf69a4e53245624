"""Mitchell's multiplication: logarithms read off the bits, so that a product is a sum."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ...cards.card import method
from .straight import straight_through
from .windows import AbstractWindowConv2d, Size, wide

TILE = 2**20  # numbers worked on at a time


def _parts(x: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers as $p (1 + m)$: signed powers of two and fractions from 0 to below 1; p = 0 for 0."""
    mantissa, _ = torch.frexp(x)  # 1/2 <= |mantissa| < 1
    power = x / torch.where(mantissa == 0, 1.0, 2 * mantissa.abs())
    return power.detach(), 2 * mantissa.abs() - 1


def _joined(m: Tensor) -> Tensor:
    """What is left of (1 + m1) (1 + m2), from m = m1 + m2: 1 + m, or 2 m where the sum carries (m >= 1)."""
    return torch.maximum(1 + m, 2 * m)


def mitchell_product(a: Tensor, b: Tensor) -> Tensor:
    r"""The product of two tensors by Mitchell's approximation, element by element; shapes are broadcast.

    With $|a| = 2^{k_1} (1 + m_1)$ and $\log_2 |a| \approx k_1 + m_1$, likewise b:
    $2^{k_1 + k_2} (1 + m_1 + m_2)$, or $2^{k_1 + k_2 + 1} (m_1 + m_2)$ where $m_1 + m_2 \geq 1$; the sign is
    that of a b. It is exact where one of them is a power of two, and never too large: the relative error is
    in [-1/9, 0]. Zero times anything is 0. The gradient is that of the exact product.
    """
    exact = a * b
    with torch.no_grad():
        (p, m), (q, n) = (_parts(x) for x in wide(a, b))
        value = (p * q * _joined(m + n)).to(exact.dtype)
    return straight_through(value, exact)


@method(
    "mitchell_conv",
    year=1962,
    paper="Mitchell, IRE Transactions on Electronic Computers",
    tiny={
        "in_channels": 4,
        "out_channels": 2,
        "kernel_size": 3,
        "padding": 1,
        "exact_gradient": False,
    },
)
class MitchellConv2d(AbstractWindowConv2d):
    r"""Mitchell convolution: a convolution whose products are approximate, by adding logarithms.

    $y = \sum f(x, w) + b$ over the window, $f(x, w) \approx x w$ as `mitchell_product` computes it. The
    gradient is that of the exact convolution, straight through; `exact_gradient=False` gives the derivatives
    of the approximation itself, which jump at powers of two, and then memory grows with all products.
    A simulation with floats, for what such hardware would learn: it is slower than a convolution.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        bias: bool = True,
        exact_gradient: bool = True,
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, bias)
        self.exact_gradient = exact_gradient

    def laid(self, x: Tensor) -> Tensor:
        """The sums of approximate products."""
        dtype, window = torch.promote_types(x.dtype, self.weight.dtype), self.window
        if not self.exact_gradient:
            return self._approximate(x, _sums).to(dtype)
        exact = F.conv2d(x, self.weight, None, window.stride, window.padding, window.dilation)
        with torch.no_grad():
            value = self._approximate(x, mitchell_sums).to(exact.dtype)
        return straight_through(value, exact)

    def _approximate(
        self, x: Tensor, sums: Callable[..., Tensor]
    ) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        x, weight = wide(x, self.weight)
        (p, m), (q, n) = _parts(self.window.columns(x)), _parts(weight.flatten(1))  # (b, k, l), (o, k)
        return sums(p, m, q, n).unflatten(2, self.window.places(x.shape[-2:]))


def _sums(p: Tensor, m: Tensor, q: Tensor, n: Tensor) -> Tensor:
    """Sums of products over k, from parts of (b, k, l) and (o, k): (b, o, l)."""
    return torch.einsum("bokl,ok->bol", _joined(m[:, None] + n[:, :, None]) * p[:, None], q)


@torch.library.custom_op("torchatlas::mitchell_sums", mutates_args=())
def mitchell_sums(p: Tensor, m: Tensor, q: Tensor, n: Tensor) -> Tensor:
    """`_sums` for a few outputs at a time, so that all products are never there at once; it has no gradient.

    An operation of its own, so that a compiled graph holds one node for it and not the loop.
    """
    few = max(1, TILE // max(1, p.numel()))
    with torch.autocast(p.device.type, enabled=False):
        return torch.cat([_sums(p, m, *part) for part in zip(q.split(few), n.split(few))], 1)


@mitchell_sums.register_fake
def _(p: Tensor, m: Tensor, q: Tensor, n: Tensor) -> Tensor:
    return p.new_empty(p.shape[0], q.shape[0], p.shape[2])
