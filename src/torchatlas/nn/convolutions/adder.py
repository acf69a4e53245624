"""The adder convolution: distances in place of products."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .windows import AbstractWindowConv2d, Size, Window, wide

TILE = {"cpu": 2**18}  # numbers worked on at a time: what a core's cache holds
DEVICE_TILE = 2**24


@method(
    "adder_conv",
    year=2019,
    paper="arXiv:1912.13200",
    tiny={
        "in_channels": 4,
        "out_channels": 4,
        "kernel_size": 3,
        "padding": 1,
        "gradient": "sign",
    },
)
class AdderConv2d(AbstractWindowConv2d):
    r"""Adder convolution: minus the L1 distance of each window to the kernel, so without a product.

    $y_o = -\sum |x - w_o|$ over the window. Backward it does not use the derivatives, which are signs, but
    differences ($g$ is the gradient of the output):
    $\Delta w_o = \sum g_o (x - w_o)$ and $\Delta x = \sum_o g_o \max(-1, \min(1, w_o - x))$.
    $\Delta w$ is then scaled to the norm $\eta \sqrt{k}$, k the number of the layer's weights; `eta=None`
    leaves it as it is. It is scaled once for each backward pass: where a batch is cut into parts whose
    gradients add up, each part is scaled by itself. `gradient="sign"` takes the derivatives, unscaled.
    Weights start from N(0, 1), a bias from U(0, 1). Outputs are large and negative: a batch normalisation
    should follow.
    Neither pass holds all differences at once: the memory is that of the windows, in · f² · places numbers.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w'). No second derivatives.
    Errors: `UsageError` for another `gradient` than "full" or "sign", or an eta that is not above 0.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        bias: bool = False,
        eta: float | None = 0.2,
        gradient: str = "full",
    ):
        if gradient not in ("full", "sign"):
            raise UsageError(f"adder_conv's gradient is full or sign, not {gradient!r}")
        if eta is not None and not eta > 0:
            raise UsageError(f"adder_conv's eta must be above 0, or None to scale nothing, not {eta}")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, bias)
        self.eta, self.gradient = eta, gradient

    def reset_parameters(self) -> None:
        """Draw the first weights, as the authors do."""
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.uniform_(self.bias)

    def laid(self, x: Tensor) -> Tensor:
        """Minus the distances."""
        dtype = torch.promote_types(x.dtype, self.weight.dtype)
        x, weight = wide(x, self.weight)
        if self.gradient == "sign":
            y = -_distances(self.window.columns(x), weight)
        else:
            y = _Adder.apply(x, weight, self.window, self.eta)
        return y.unflatten(2, self.window.places(x.shape[-2:])).to(dtype)


def _distances(columns: Tensor, weight: Tensor) -> Tensor:  # (b, k, l), (o, c, h, w) -> (b, o, l)
    return torch.cdist(weight.flatten(1).expand(columns.shape[0], -1, -1), columns.mT, p=1.0)


class _Adder(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, window: Window, eta: float | None) -> Tensor:  # -> (b, o, l)
        return -_distances(window.columns(x), weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, ctx.window, ctx.eta = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # (b, o, l)
        x, weight = ctx.saved_tensors
        columns, flat = ctx.window.columns(x), weight.flatten(1)  # (b, k, l), (o, k); cheaper than kept
        for_x = for_weight = None
        if ctx.needs_input_grad[0]:
            for_x = ctx.window.folded(clipped_differences(columns, flat, grad), x.shape)
        if ctx.needs_input_grad[1]:
            for_weight = torch.einsum("bol,bkl->ok", grad, columns) - flat * grad.sum((0, 2))[:, None]
            if ctx.eta is not None:
                norm = torch.linalg.vector_norm(for_weight).clamp_min(1e-12)
                for_weight = for_weight * (ctx.eta * math.sqrt(weight.numel()) / norm)
            for_weight = for_weight.view_as(weight)
        return for_x, for_weight, None, None


@torch.library.custom_op("torchatlas::clipped_differences", mutates_args=())
def clipped_differences(columns: Tensor, weight: Tensor, grad: Tensor) -> Tensor:
    r"""$\sum_o g_o \max(-1, \min(1, w_o - x))$ for x of (b, k, l), w of (o, k), g of (b, o, l) -> (b, k, l).

    Computed output by output on tiles that stay in the cache. It is an operation of its own, so that a
    compiled graph holds one node for it and not the loop.
    """
    (batch, length, places), total = columns.shape, torch.zeros_like(columns)
    tile = TILE.get(columns.device.type, DEVICE_TILE)
    rows, across = max(1, tile // max(1, length * places)), max(1, tile // max(1, length))
    grad = grad.contiguous()
    for i in range(0, batch, rows):
        for j in range(0, places, across):
            x = columns[i : i + rows, :, j : j + across]
            into, g = total[i : i + rows, :, j : j + across], grad[i : i + rows, :, None, j : j + across]
            differences = torch.empty_like(x)
            for k, w in enumerate(weight.unbind()):
                torch.sub(w[:, None], x, out=differences)
                into.addcmul_(differences.clamp_(-1, 1), g[:, k])
    return total


@clipped_differences.register_fake
def _(columns: Tensor, weight: Tensor, grad: Tensor) -> Tensor:
    return torch.empty_like(columns)
