"""Real NVP: affine couplings with masks that take turns."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from torch import Tensor

from ...cards.card import method
from ...data.spec import BYTE
from ...engine.errors import UsageError
from ...networks.dense.mlp import MLP
from .coupling import Coupling, ResidualNet, alternating, channels, checkerboard
from .flow import Flow, StandardNormal
from .transforms import Affine, Chain, FirstHalf, Flatten, Logit, MaskedNorm, Squeeze, Transform, Undo

if TYPE_CHECKING:
    from ...data.spec import Spec

SMALLEST = 4  # the last scale's height and width, where halving comes so far


@method(
    "real_nvp",
    year=2016,
    paper="arXiv:1605.08803",
    aliases=("realnvp",),
    topics=("generation", "density"),
    recipe={"optimizer": "adam", "lr": 0.001, "batch_size": 64, "epochs": 60, "clip": 100.0},
    tiny={"couplings": 2, "hidden": (8,), "width": 4, "blocks": 1},
)
class RealNVP(Flow):
    r"""Real NVP: a flow of affine couplings, $z_2 = x_2 \odot e^{s(x_1)} + t(x_1)$.

    Each is followed by batch normalisation of what it moved. Rows: masks over every second value in turn,
    perceptrons between. Images: logit, then scales of three checkerboard couplings, squares of pixels as
    channels, three channel couplings, and half of the values factored out, until a height or width is odd or
    4; at last four checkerboard couplings. Residual networks between, without the paper's weight norm.
    """

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        couplings: int = 8,
        hidden: int | Sequence[int] = (64, 64),
        width: int = 32,
        blocks: int = 2,
        norm: bool = True,
    ) -> Self:
        """For rows, `couplings` with perceptrons of `hidden` units; for images, scales of residual networks.

        `width` is the networks' number of maps at the first scale (doubled with each, and with channel
        couplings), `blocks` their number of residual blocks; `norm=False` leaves batch normalisation out.
        """
        size = math.prod(spec.shape)
        if size < 2:
            raise UsageError(
                "real_nvp moves one part of the values by another: one column alone has no other"
            )
        if spec.modality == "table":
            steps: list[Transform] = [Affine(0.5, 0.25)]  # columns of 0..1 to about mean 0, variance 1
            for k in range(couplings):
                mask = alternating(size, odd=k % 2 == 1)
                steps += _coupled(mask, MLP(size, 2 * size, hidden), norm)
            return cls(Chain(steps), StandardNormal(size), spec.shape)
        steps = [Logit(), _scale(spec.shape, width, blocks, norm), Flatten(spec.shape)]
        return cls(Chain(steps), StandardNormal(size), spec.shape, shades=spec.shades or BYTE)


def _coupled(mask: Tensor, net: MLP | ResidualNet, norm: bool) -> list[Transform]:
    return [Coupling(mask, net), *([MaskedNorm(mask)] if norm else [])]


def _scale(shape: tuple[int, ...], width: int, blocks: int, norm: bool) -> Transform:
    """One scale and all that follow; its shape stays."""

    def coupled(mask: Tensor, wide: int) -> list[Transform]:
        return _coupled(mask, ResidualNet(mask, wide, blocks), norm)

    maps, height, across = shape
    last = min(height, across) <= SMALLEST or height % 2 == 1 or across % 2 == 1
    steps: list[Transform] = []
    for k in range(4 if last else 3):
        steps += coupled(checkerboard(shape, odd=k % 2 == 1), width)
    if last:
        return Chain(steps)
    squeezed = (4 * maps, height // 2, across // 2)
    steps.append(Squeeze())
    for k in range(3):
        steps += coupled(channels(squeezed, second=k % 2 == 1), 2 * width)
    rest = _scale((2 * maps, *squeezed[1:]), 2 * width, blocks, norm)
    return Chain([*steps, Undo(Squeeze()), Squeeze(diagonal=True), FirstHalf(rest), Undo(Squeeze(True))])
