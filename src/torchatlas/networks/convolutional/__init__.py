"""Convolutional networks."""

from .lenet import LeNet5 as LeNet5
