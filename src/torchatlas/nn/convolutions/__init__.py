"""Convolutions: one small set of weights laid over every window of a map, and what has been made of that."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .adder import AdderConv2d as AdderConv2d
    from .circle import CircleConv2d as CircleConv2d
    from .compconv import CompConv2d as CompConv2d
    from .coord import CoordConv2d as CoordConv2d
    from .deformable import (
        DeformableConv2d as DeformableConv2d,
        ModulatedDeformableConv2d as ModulatedDeformableConv2d,
    )
    from .depthwise import (
        DepthwiseConv2d as DepthwiseConv2d,
        DepthwiseSeparableConv2d as DepthwiseSeparableConv2d,
    )
    from .difference import (
        CentralDifferenceConv2d as CentralDifferenceConv2d,
        CrossCentralDifferenceConv2d as CrossCentralDifferenceConv2d,
        PixelDifferenceConv2d as PixelDifferenceConv2d,
    )
    from .dynamic import (
        CondConv2d as CondConv2d,
        DynamicConv2d as DynamicConv2d,
        DyNetConv2d as DyNetConv2d,
        ODConv2d as ODConv2d,
    )
    from .fourier import FastFourierConv2d as FastFourierConv2d
    from .inception import InceptionConv2d as InceptionConv2d
    from .involution import Involution2d as Involution2d
    from .mitchell import MitchellConv2d as MitchellConv2d, mitchell_product as mitchell_product
    from .octave import OctaveConv2d as OctaveConv2d
    from .region import DynamicRegionConv2d as DynamicRegionConv2d
    from .separable import (
        FlattenedConv2d as FlattenedConv2d,
        SpatiallySeparableConv2d as SpatiallySeparableConv2d,
    )
    from .sparse import SparseConv2d as SparseConv2d, SubmanifoldConv2d as SubmanifoldConv2d
    from .wavelet import WaveletConv2d as WaveletConv2d
else:
    __getattr__, __dir__ = exports(__name__, __file__)
