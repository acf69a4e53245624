"""Vision transformers: images as tokens that look at each other."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .cait import CaiT as CaiT
    from .levit import LeViT as LeViT
    from .mlp_mixer import MLPMixer as MLPMixer
    from .pit import PiT as PiT
    from .swin import SwinTransformer as SwinTransformer
    from .twins import Twins as Twins
    from .vit import VisionTransformer as VisionTransformer
else:
    __getattr__, __dir__ = exports(__name__, __file__)
