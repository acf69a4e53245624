"""Explanations: which parts of an input a model's answer hangs on."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .activation_maps import cam as cam, gradcam as gradcam, gradcam_pp as gradcam_pp
    from .gradient import saliency as saliency
    from .rectified import (
        deconvnet_vis as deconvnet_vis,
        guided_backprop as guided_backprop,
        guided_gradcam as guided_gradcam,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
