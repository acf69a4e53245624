"""Regularisation by layers: noise while training, the identity afterwards."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .dropblock import DropBlock as DropBlock
    from .gaussian import GaussianDropout as GaussianDropout
    from .hard_concrete import HardConcrete as HardConcrete
    from .largest import MaxDrop as MaxDrop, MaxDropout as MaxDropout
    from .max_pooling_dropout import MaxPoolingDropout as MaxPoolingDropout
    from .standout import Standout as Standout
    from .stochastic_depth import StochasticDepth as StochasticDepth, drop_rates as drop_rates
    from .weighted_channels import WeightedChannelDropout as WeightedChannelDropout
else:
    __getattr__, __dir__ = exports(__name__, __file__)
