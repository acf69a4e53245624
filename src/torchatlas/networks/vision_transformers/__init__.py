"""Vision transformers: images as tokens that look at each other."""

from .mlp_mixer import MLPMixer as MLPMixer
from .swin import SwinTransformer as SwinTransformer
from .vit import VisionTransformer as VisionTransformer
