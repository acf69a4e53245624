"""Pooling by chance while training: which number, or which rows and columns, is drawn."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..normalization.batch import wide
from .windows import Size, pair, windows


@method("stochastic_pool", year=2013, paper="arXiv:1301.3557", tiny={"kernel_size": 2})
class StochasticPool2d(nn.Module):
    r"""Stochastic pooling: one number of each window, drawn with a probability in proportion to it.

    $p_i = a_i / \sum a$, where a is x with zero for what is negative (the method is meant for x after ReLU).
    Evaluation takes the expectation $\sum p_i a_i$. A window of zeros gives zero.
    Shapes: (batch, channels, height, width) -> (batch, channels, height', width').
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Tensor) -> Tensor:
        a = windows(wide(x), self.kernel_size, self.stride).relu()  # (b, c, h', w', k)
        total = a.sum(-1, keepdim=True)
        if self.training:
            passed = a.detach().cumsum(-1) <= torch.rand_like(total) * total.detach()
            place = passed.sum(-1, keepdim=True).clamp(max=a.shape[-1] - 1)
            return a.gather(-1, place).squeeze(-1).to(x.dtype)
        return (a / total.where(total > 0, 1) * a).sum(-1).to(x.dtype)


@method("s3_pool", year=2016, paper="arXiv:1611.05138", tiny={"kernel_size": 2})
class S3Pool2d(nn.Module):
    """S3Pool: max pooling at each place, then rows and columns drawn at random while training.

    Of each `grid` rows grid / kernel_size are kept, and of columns too, the same for a whole batch; so a
    map is distorted by as much as a grid. Evaluation takes the mean of each window instead. grid: kernel_size
    by default, a multiple of it.
    Shapes: (batch, channels, height, width) -> (batch, channels, height / kernel_size, width / kernel_size),
    rounded down.
    Raises UsageError for a grid that is no multiple, and for maps whose last grid lacks a window or more.
    """

    def __init__(self, kernel_size: Size, grid: Size | None = None):
        super().__init__()
        self.kernel_size, self.grid = pair(kernel_size), pair(kernel_size if grid is None else grid)
        for size, cell in zip(self.kernel_size, self.grid, strict=True):
            if cell < size or cell % size:
                raise UsageError(f"grid={self.grid} must be a multiple of kernel_size={self.kernel_size}")

    def forward(self, x: Tensor) -> Tensor:
        (high, broad), (down, across) = self.kernel_size, self.grid
        height, width = x.shape[-2:]
        if height % down >= high or width % across >= broad or height < high or width < broad:
            raise UsageError(
                f"a map of {height} x {width} does not fit grids of {down} x {across}: crop or pad it"
            )
        padded = F.pad(x, (0, broad - 1, 0, high - 1), value=float("-inf"))
        largest = F.max_pool2d(padded, self.kernel_size, 1)  # (b, c, h, w)
        if not self.training:
            return F.avg_pool2d(largest, self.kernel_size)
        rows, columns = _drawn(height, down, high, x.device), _drawn(width, across, broad, x.device)
        return largest.index_select(2, rows).index_select(3, columns)


def _drawn(length: int, grid: int, size: int, device: torch.device) -> Tensor:
    """Places in order, grid / size of each grid; what is left over belongs to the last grid."""
    cells, keep = length // grid, grid // size
    scores = torch.rand(cells - 1, grid, device=device)
    last = torch.rand(length - (cells - 1) * grid, device=device)
    begin = grid * torch.arange(cells - 1, device=device)[:, None]
    inner = scores.argsort(1)[:, :keep].sort(1).values + begin
    return torch.cat((inner.flatten(), last.argsort()[:keep].sort().values + (cells - 1) * grid))
