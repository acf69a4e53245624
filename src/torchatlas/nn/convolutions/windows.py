"""Windows of a map: their sizes, their columns, and the base of layers that lay weights over them."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError
from ..pooling.windows import Size as Size, pair as pair


def odd(kernel_size: Size, name: str) -> tuple[int, int]:
    """The kernel's sides, which must have a middle; UsageError where one has none."""
    sides = pair(kernel_size)
    if not all(side % 2 for side in sides):
        raise UsageError(f"{name} needs a kernel with a middle: say odd sides, not kernel_size={kernel_size}")
    return sides


def around(kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """The padding with which a kernel of odd sides keeps the map's size at stride 1."""
    return dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2


def wide(*tensors: Tensor) -> list[Tensor]:
    """The tensors in one type, of single precision at least."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return [tensor.to(dtype) for tensor in tensors]


def reset(weight: Tensor, bias: Tensor | None = None) -> None:
    r"""First weights as PyTorch's convolutions have them: uniform in $\pm 1 / \sqrt{n}$, n per window."""
    bound = 1 / math.sqrt(max(1, weight[0].numel()))
    nn.init.uniform_(weight, -bound, bound)
    if bias is not None:
        nn.init.uniform_(bias, -bound, bound)


@dataclass(frozen=True)
class Window:
    """How a kernel moves over a map."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @classmethod
    def of(cls, kernel_size: Size, stride: Size = 1, padding: Size = 0, dilation: Size = 1) -> "Window":
        """From PyTorch's words."""
        return cls(pair(kernel_size), pair(stride), pair(padding), pair(dilation))

    def places(self, size: torch.Size | tuple[int, int]) -> tuple[int, int]:
        """How many windows a map of a size has, down and across."""
        sides = zip(size, self.kernel, self.stride, self.padding, self.dilation)
        down, across = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides)
        return down, across

    def columns(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c k, l)
        """All windows of a map, each as a column; the border is of zeros."""
        return F.unfold(x, self.kernel, self.dilation, self.padding, self.stride)

    def folded(self, columns: Tensor, size: torch.Size) -> Tensor:  # (b, c k, l) -> (b, c, h, w)
        """The adjoint of `columns`: what the windows hold, added up where they overlap."""
        return F.fold(columns, size[-2:], self.kernel, self.dilation, self.padding, self.stride)


class AbstractWindowConv2d(nn.Module):
    """Weights (out, in, height, width) laid over every window of a map, in another way than by products.

    `laid(x)` says how: (batch, in, h, w) -> (batch, out, h', w'), without the bias.
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
    ):
        super().__init__()
        self.window = Window.of(kernel_size, stride, padding, dilation)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *self.window.kernel))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the first weights."""
        reset(self.weight, self.bias)

    def laid(self, x: Tensor) -> Tensor:
        """The layer's output without its bias."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        y = self.laid(x)
        return y if self.bias is None else y + self.bias[:, None, None]

    def extra_repr(self) -> str:
        """The sizes, for printing."""
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, {self.window}"
