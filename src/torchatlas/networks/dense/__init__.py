"""Networks of fully connected layers."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .diffusion_unet import (
        DiffusionUNet as DiffusionUNet,
        TimeMLP as TimeMLP,
        time_embedding as time_embedding,
    )
    from .highway import Highway as Highway
    from .linear import (
        LinearRegression as LinearRegression,
        LogisticRegression as LogisticRegression,
        Perceptron as Perceptron,
        SoftmaxRegression as SoftmaxRegression,
    )
    from .mlp import MLP as MLP
else:
    __getattr__, __dir__ = exports(__name__, __file__)
