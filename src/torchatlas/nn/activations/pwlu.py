"""PWLU: straight pieces between learned points, laid over the range that a channel's inputs have."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from ...cards.card import method
from ...engine.errors import UsageError
from .pointwise import along, positive

NARROWEST = 1e-3  # of the range between the bounds, which learning could close


def _place(x: Tensor, low: Tensor, high: Tensor, row: Tensor, pieces: int) -> tuple[Tensor, ...]:
    """Where each number's piece is in all channels' table of points, its part of it, and a piece's width."""
    width = (high - low) / pieces
    t = ((x - low) / width).clamp(0, pieces)
    piece = t.detach().floor().clamp(max=pieces - 1).nan_to_num()  # what is no number has a place too
    return (row * (pieces + 1) + piece).long(), t - piece, width


class _Pieces(Function):
    """Values on the pieces; keeps x and the channels' numbers alone. `row` says which channel is which."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, low: Tensor, high: Tensor, left: Tensor, right: Tensor, points: Tensor, row: Tensor
    ) -> Tensor:
        index, part, _ = _place(x, low, high, row, points.shape[1] - 1)
        table = points.flatten()
        first = table[index]
        inside = first + part * (table[index + 1] - first)
        return inside + left * (x - low).clamp(max=0) + right * (x - high).clamp(min=0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, low, high, left, right, points, row = ctx.saved_tensors
        pieces = points.shape[1] - 1
        index, part, width = _place(x, low, high, row, pieces)
        table = points.flatten()
        below, above = gradient * (x < low), gradient * (x > high)
        within = gradient * ((x >= low) & (x <= high))
        steep = (table[index + 1] - table[index]) / width
        share = (x - low) / (width * pieces)  # of the range that lies left of x
        bend = within * steep
        d_table = torch.zeros_like(table).index_add(0, index.flatten(), (gradient * (1 - part)).flatten())
        d_table = d_table.index_add(0, (index + 1).flatten(), (gradient * part).flatten())
        return (
            bend + below * left + above * right,
            (-bend * (1 - share) - below * left).sum_to_size(low.shape),
            (-bend * share - above * right).sum_to_size(high.shape),
            (below * (x - low)).sum_to_size(left.shape),
            (above * (x - high)).sum_to_size(right.shape),
            d_table.view_as(points),
            None,
        )


@method("pwlu", year=2021, paper="arXiv:2104.03693", tiny={"channels": 4, "pieces": 4})
class PWLU(nn.Module):
    r"""PWLU: a learned function of straight `pieces`, per channel, laid over the range of its inputs.

    Between bounds L and R lie N equal pieces with learned heights $Y_0 … Y_N$ at their ends; beyond them it
    goes on with learned slopes $K_L$ and $K_R$. Bounds, heights and slopes are learned per channel
    (`channels` lie along `dim`).

    It has two phases. For the first `settling` batches seen in training mode it is ReLU and learns nothing,
    while buffers follow mean μ and spread s of each channel with momentum 0.9. Then the bounds are
    $\mu \pm 3 s$, the heights ReLU's, and learning begins. The paper's first phase took five epochs: say
    `settling` as the batches of yours. Parameters are differences from these starting values, so that weight
    decay, if any, pulls towards ReLU. Raises UsageError where a count is not positive.
    """

    mean: Tensor
    spread: Tensor
    seen: Tensor

    def __init__(self, channels: int, pieces: int = 16, settling: int = 100, dim: int = 1):
        super().__init__()
        positive(channels=channels, pieces=pieces)
        if settling < 0:
            raise UsageError(f"settling={settling} must not be negative: it counts batches")
        self.channels, self.pieces, self.settling, self.dim = channels, pieces, settling, dim
        self.low, self.high = nn.Parameter(torch.zeros(channels)), nn.Parameter(torch.zeros(channels))
        self.left, self.right = nn.Parameter(torch.zeros(channels)), nn.Parameter(torch.zeros(channels))
        self.points = nn.Parameter(torch.zeros(channels, pieces + 1))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("spread", torch.ones(channels))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        settled = self.seen >= self.settling
        if self.training and x.numel():
            self._watch(x, settled)
        low, high, left, right, points = (
            torch.where(settled, one, 0).to(torch.promote_types(one.dtype, torch.float32))
            for one in (self.low, self.high, self.left, self.right, self.points)
        )
        start, end = self.mean - 3 * self.spread, self.mean + 3 * self.spread
        steps = torch.linspace(0, 1, self.pieces + 1, dtype=points.dtype, device=x.device)
        heights = (start[:, None] + steps * (end - start)[:, None]).clamp(min=0) + points
        low, high = start + low, end + high
        high = low + (high - low).clamp(min=NARROWEST)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        tables = (along(one, x, self.dim) for one in (low, high, left, right + 1))
        row = along(torch.arange(self.channels, device=x.device), x, self.dim)
        y: Tensor = _Pieces.apply(wide, *tables, heights, row)
        return torch.where(settled, y.to(x.dtype), x.clamp(min=0))

    @torch.no_grad()
    def _watch(self, x: Tensor, settled: Tensor) -> None:
        """Move the running mean and spread towards those of a batch, until they have settled."""
        rows = x.detach().movedim(self.dim, 0).flatten(1).to(self.mean.dtype)
        weight = torch.where(self.seen == 0, 1.0, 0.1).to(rows.dtype)
        for kept, seen in ((self.mean, rows.mean(1)), (self.spread, rows.std(1, correction=0))):
            kept.copy_(torch.where(settled, kept, kept.lerp(seen, weight)))
        self.seen.add_((~settled).long())
