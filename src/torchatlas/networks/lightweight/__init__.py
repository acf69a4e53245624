"""Networks of images for small devices: few parameters, few multiply-adds."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .addernet import AdderNet as AdderNet
    from .channelnet import ChannelNet as ChannelNet
    from .efficientnet import EfficientNet as EfficientNet
    from .efficientnet_v2 import EfficientNetV2 as EfficientNetV2
    from .ghostnet import GhostNet as GhostNet
    from .igc import IGCV1 as IGCV1, IGCV2 as IGCV2
    from .micronet import MicroNet as MicroNet
    from .mobilenet import MobileNet as MobileNet
    from .mobilenet_v2 import MobileNetV2 as MobileNetV2
    from .mobilenet_v3 import MobileNetV3 as MobileNetV3
    from .shufflenet import ShuffleNet as ShuffleNet
    from .shufflenet_v2 import ShuffleNetV2 as ShuffleNetV2
    from .squeezenet import SqueezeNet as SqueezeNet
    from .squeezenext import SqueezeNext as SqueezeNext
else:
    __getattr__, __dir__ = exports(__name__, __file__)
