"""Pooling: a window of a map becomes one number."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .bilinear import BilinearPool2d as BilinearPool2d, CompactBilinearPool2d as CompactBilinearPool2d
    from .covariance import CovariancePool2d as CovariancePool2d
    from .detail import DetailPreservingPool2d as DetailPreservingPool2d
    from .general import MinPool2d as MinPool2d
    from .importance import LocalImportancePool2d as LocalImportancePool2d, SoftPool2d as SoftPool2d
    from .mixed import (
        ConcatPool2d as ConcatPool2d,
        LearnedMixedPool2d as LearnedMixedPool2d,
        RandomMixedPool2d as RandomMixedPool2d,
        SumPool2d as SumPool2d,
    )
    from .pyramid import SpatialPyramidPool2d as SpatialPyramidPool2d
    from .regions import roi_pool as roi_pool
    from .stochastic import S3Pool2d as S3Pool2d, StochasticPool2d as StochasticPool2d
else:
    __getattr__, __dir__ = exports(__name__, __file__)
