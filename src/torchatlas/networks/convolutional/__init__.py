"""Convolutional networks."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .alexnet import AlexNet as AlexNet
    from .cifar_resnet import CifarResNet as CifarResNet
    from .conv4 import Conv4 as Conv4
    from .convnext import ConvNeXt as ConvNeXt
    from .densenet import CifarDenseNet as CifarDenseNet, DenseNet as DenseNet
    from .googlenet import GoogLeNet as GoogLeNet
    from .inception_resnet import InceptionResNetV2 as InceptionResNetV2
    from .inception_v2 import InceptionV2 as InceptionV2
    from .inception_v3 import InceptionV3 as InceptionV3
    from .inception_v4 import InceptionV4 as InceptionV4
    from .lenet import LeNet5 as LeNet5
    from .nasnet import NASNet as NASNet
    from .nfnet import NFNet as NFNet
    from .nin import LargeNiN as LargeNiN, NiN as NiN
    from .pyramidnet import CifarPyramidNet as CifarPyramidNet
    from .regnet import RegNet as RegNet
    from .resnest import ResNeSt as ResNeSt
    from .resnet import ResNet as ResNet
    from .resnet_d import ResNetD as ResNetD
    from .vgg import VGG as VGG
    from .wide_resnet_cifar import CifarWideResNet as CifarWideResNet
    from .xception import Xception as Xception
    from .zfnet import ZFNet as ZFNet
else:
    __getattr__, __dir__ = exports(__name__, __file__)
