"""Pooling that any map can have."""

from torch import Tensor, nn

from ...cards.card import borrowed, method

borrowed(
    "max_pool",
    "torch.nn:MaxPool2d",
    "Max pooling: the largest number of each window",
    formula="max over the window; the border counts as -∞",
    year=1999,
    paper="Riesenhuber and Poggio, Nature Neuroscience",
    tiny={"kernel_size": 2},
)

borrowed(
    "avg_pool",
    "torch.nn:AvgPool2d",
    "Average pooling: the mean of each window",
    formula="mean over the window; count_include_pad=True counts the border's zeros",
    year=1998,
    paper="LeCun et al., Proceedings of the IEEE",
    tiny={"kernel_size": 2},
)

borrowed(
    "global_avg_pool",
    "torch.nn:AdaptiveAvgPool2d",
    "Global average pooling: the mean of each channel, whatever the map's size",
    formula="mean over height and width; the output is (batch, channels, 1, 1)",
    year=2013,
    paper="arXiv:1312.4400",
    options={"output_size": 1},
)

borrowed(
    "global_max_pool",
    "torch.nn:AdaptiveMaxPool2d",
    "Global max pooling: the largest number of each channel, whatever the map's size",
    formula="max over height and width; the output is (batch, channels, 1, 1)",
    year=2015,
    paper="Oquab et al., CVPR",
    options={"output_size": 1},
)

borrowed(
    "lp_pool",
    "torch.nn:LPPool2d",
    "Power-average pooling: the p-norm of each window, from sum (p = 1) to maximum (p = ∞)",
    formula="(Σ xᵖ)^(1/p) with p = norm_type; no absolute value is taken, so give odd p only to x ≥ 0",
    year=2013,
    paper="arXiv:1311.4025",
    options={"norm_type": 2},
    tiny={"kernel_size": 2},
)

borrowed(
    "fractional_max_pool",
    "torch.nn:FractionalMaxPool2d",
    "Fractional max pooling: windows at random places, so that a map shrinks by any ratio",
    formula="max over windows of kernel_size that begin ⌊α (i + u)⌋ - ⌊α u⌋ in, u random per channel, the "
    "last at the border; in evaluation too, which may be averaged over several looks",
    year=2014,
    paper="arXiv:1412.6071",
    topics=("random",),
    tiny={"kernel_size": 2, "output_ratio": 0.7},
)


@method("min_pool", tiny={"kernel_size": 2})
class MinPool2d(nn.MaxPool2d):
    """Min pooling: the smallest number of each window; the border counts as +∞.

    Words and shapes: as `torch.nn.MaxPool2d`, without `return_indices`.
    """

    def forward(self, input: Tensor) -> Tensor:
        smallest: Tensor = -super().forward(-input)
        return smallest
