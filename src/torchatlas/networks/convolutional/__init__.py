"""Convolutional networks."""

from .cifar_resnet import CifarResNet as CifarResNet
from .conv4 import Conv4 as Conv4
from .lenet import LeNet5 as LeNet5
from .nin import NiN as NiN
from .resnet import ResNet as ResNet
