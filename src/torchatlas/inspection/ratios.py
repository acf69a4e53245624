"""What cheaper convolutions cost beside the whole one."""

from ..cards.card import method
from ..engine.errors import UsageError

KINDS = ("depthwise", "spatial", "grouped")


@method("separable_cost_ratio", year=2017, paper="arXiv:1704.04861", topics=("cost", "vision"))
def separable_cost_ratio(
    kind: str = "depthwise", out_channels: int = 1, kernel_size: int = 3, groups: int = 1
) -> float:
    r"""Separable cost ratio: the multiply-adds of a convolution in parts over those of the whole one.

    "depthwise": one k × k kernel a channel, then 1 × 1 to $c'$ channels, $\frac{1}{c'} + \frac{1}{k^2}$.
    "spatial": k × 1, then 1 × k between as many channels, $\frac{2}{k}$. "grouped": in g groups,
    $\frac{1}{g}$. Parameters without biases have the same ratios. Strides are 1 and maps keep their size.
    Raises UsageError for another kind, and for numbers below 1.
    """
    if kind not in KINDS:
        raise UsageError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    if min(out_channels, kernel_size, groups) < 1:
        raise UsageError("out_channels, kernel_size and groups must be at least 1")
    if kind == "depthwise":
        return 1 / out_channels + 1 / kernel_size**2
    return 2 / kernel_size if kind == "spatial" else 1 / groups
