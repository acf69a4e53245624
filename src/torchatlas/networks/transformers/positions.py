"""Absolute positions, added to what stands there."""

import torch
from torch import Tensor, nn

from ...engine.errors import UsageError


class LearnedPositions(nn.Module):
    """A learned vector for each of `context` positions."""

    def __init__(self, context: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(context, width))

    def forward(self, x: Tensor) -> Tensor:  # (b, t, d) -> (b, t, d)
        if x.shape[1] > len(self.weight):
            raise UsageError(f"{x.shape[1]} characters are more than the context of {len(self.weight)}")
        return x + self.weight[: x.shape[1]]


class SinusoidalPositions(nn.Module):
    """Waves of many lengths: sin at even and cos at odd places, see `sinusoids`."""

    table: Tensor

    def __init__(self, context: int, width: int):
        super().__init__()
        self.register_buffer("table", sinusoids(context, width), persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # (b, t, d) -> (b, t, d)
        if x.shape[1] > len(self.table):
            raise UsageError(f"{x.shape[1]} characters are more than the context of {len(self.table)}")
        return x + self.table[: x.shape[1]]


def sinusoids(context: int, width: int) -> Tensor:
    r"""$P_{t,2i} = \sin(t / 10000^{2i/d})$ and $P_{t,2i+1} = \cos(t / 10000^{2i/d})$, (context, width)."""
    if width % 2:
        raise UsageError(f"width={width} must be even: sines and cosines come in pairs")
    rates = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.double) / width)
    angles = torch.arange(context, dtype=torch.double)[:, None] * rates  # (t, d/2)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1).to(torch.get_default_dtype())
