"""Convolutions of several sizes side by side, weighted by what the map holds."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .gate import between, bottleneck, divided, mean_of_map


@method(
    "sknet",
    year=2019,
    paper="arXiv:1903.06586",
    aliases=("selective_kernel",),
    topics=("vision",),
    tiny={"channels": 4, "groups": 2},
)
class SelectiveKernel(nn.Module):
    r"""SKNet (selective kernel): convolutions of several reaches, mixed channel by channel.

    $\sum_m a_m · U_m$, U the branches: grouped 3×3 convolutions spread 1, 2, …, each with batch
    normalisation and ReLU. Their sum's means go through an affine map to channels / `reduction` (`least` at
    least), batch normalisation and ReLU, and one to a score per branch and channel; softmax over the
    branches gives a.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for fewer than two branches, and
    groups that do not divide the channels.
    """

    def __init__(
        self, channels: int, branches: int = 2, groups: int = 32, reduction: int = 16, least: int = 32
    ):
        super().__init__()
        if branches < 2:
            raise UsageError(f"branches={branches} must be 2 or more: there is something to select among")
        divided(channels, groups)
        hidden = between(channels, reduction, least)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, 1, reach, reach, groups, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for reach in range(1, branches + 1)
        )
        self.squeeze = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU()
        )
        self.score = nn.Conv2d(hidden, branches * channels, 1)

    def shares(self, maps: Tensor) -> Tensor:  # (b, m, c, h, w) -> (b, m, c, 1, 1)
        """How much each branch counts in each channel; over the branches they sum to 1."""
        scores: Tensor = self.score(self.squeeze(mean_of_map(maps.sum(1))))
        return scores.unflatten(1, (len(self.branches), -1)).softmax(1)

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.stack([branch(x) for branch in self.branches], 1)
        return (maps * self.shares(maps)).sum(1)


@method(
    "epsa",
    year=2021,
    paper="arXiv:2105.14447",
    aliases=("psa_pyramid",),
    topics=("vision",),
    tiny={"channels": 4, "groups": (1, 1, 1, 1), "reduction": 2},
)
class PyramidSplitAttention(nn.Module):
    r"""EPSANet (pyramid split attention): convolutions of four sizes, each to a quarter, weighted by scale.

    $F_k = \mathrm{conv}_k(x)$ with kernels 3, 5, 7, 9 in 1, 4, 8, 16 groups. Squeeze-and-excitation, one for
    all scales, gives each $F_k$ weights of its channels; softmax over the scales makes shares of them; the
    weighted quarters stand one after another.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError where there are not as many
    groups as kernels, or they do not divide the channels.
    """

    def __init__(
        self,
        channels: int,
        kernels: tuple[int, ...] = (3, 5, 7, 9),
        groups: tuple[int, ...] = (1, 4, 8, 16),
        reduction: int = 16,
    ):
        super().__init__()
        if len(groups) != len(kernels):
            raise UsageError(f"{len(kernels)} kernels need as many groups, not {len(groups)}")
        each = divided(channels, len(kernels), "scales")
        for count in groups:
            divided(each, count)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, each, k, padding=k // 2, groups=g, bias=False)
            for k, g in zip(kernels, groups)
        )
        self.excite = bottleneck(each, reduction)

    def shares(self, maps: Tensor) -> Tensor:  # (b, s, c/s, h, w) -> (b, s, c/s, 1, 1)
        """How much each scale counts in each channel; over the scales they sum to 1."""
        scores: Tensor = self.excite(mean_of_map(maps.flatten(0, 1))).sigmoid()
        return scores.unflatten(0, maps.shape[:2]).softmax(1)

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.stack([conv(x) for conv in self.convs], 1)
        return (maps * self.shares(maps)).flatten(1, 2)
