"""Shuffle attention: half of each group is weighted by channels, half by positions, then shuffled."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from .gate import divided, moments


@method(
    "shuffle_attention",
    year=2021,
    paper="arXiv:2102.00240",
    aliases=("sa_net",),
    topics=("vision",),
    tiny={"channels": 4, "groups": 2},
)
class ShuffleAttention(nn.Module):
    r"""SA-Net (shuffle attention): in each group, half the channels are weighted as such, half by position.

    First half: $x · \sigma(w \bar x + b)$ with the channel's mean. Second: $x · \sigma(w \hat x + b)$ with
    the channel normalised over its positions, scaled and shifted. All groups share these numbers; w starts
    at 0 and b at 1. Then every channel of the lower half of the map's channels is followed by one of the
    upper half, so that groups exchange what they hold.
    Shapes: (batch, channels, height, width) -> the same. Parameters: 3 channels / groups. Raises UsageError
    where 2 groups do not divide the channels.
    """

    def __init__(self, channels: int, groups: int = 64, eps: float = 1e-5):
        super().__init__()
        half = divided(channels, 2 * groups, "half groups")
        self.groups, self.eps = groups, eps
        self.channel_weight, self.channel_bias = _pair(half, 0.0, 1.0)
        self.norm_weight, self.norm_bias = _pair(half, 1.0, 0.0)
        self.position_weight, self.position_bias = _pair(half, 0.0, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.unflatten(1, (self.groups, 2, -1)).unbind(2)  # (b, g, c / 2g, h, w)
        means = first.mean((3, 4), keepdim=True)
        first = first * (means * self.channel_weight + self.channel_bias).sigmoid()
        mean, variance = moments(second, (3, 4))
        even = ((second - mean) * (variance + self.eps).rsqrt()).to(x.dtype)
        even = even * self.norm_weight + self.norm_bias
        second = second * (even * self.position_weight + self.position_bias).sigmoid()
        together = torch.stack((first, second), 2).flatten(1, 3)  # (b, c, h, w)
        return together.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


def _pair(count: int, weight: float, bias: float) -> tuple[nn.Parameter, nn.Parameter]:
    return nn.Parameter(torch.full((count, 1, 1), weight)), nn.Parameter(torch.full((count, 1, 1), bias))
