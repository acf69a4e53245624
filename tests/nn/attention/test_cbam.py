import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal, numbers

from .plain import batch_norm, means, narrowed, shaken, sigmoid


def gate_of_positions(gate, x):
    both = np.stack((x.mean(1), x.max(1)), 1)
    return sigmoid(batch_norm(gate.norm, conv(torch.as_tensor(both), gate.conv.weight, None, 1, 3)))


def test_channels_then_positions():
    x, layer = drawn(2, 6, 5, 4), shaken("cbam", channels=6, reduction=3)
    channel, position = layer
    y = numbers(x)
    y = y * sigmoid(
        narrowed(channel.excite, means(y)) + narrowed(channel.excite, y.max((2, 3), keepdims=True))
    )
    equal(layer(x), y * gate_of_positions(position, y))


def test_parameters_in_resnet50():
    """ResNet-50 has 25,557,032 parameters, and 28,089,624 with CBAM in its 16 blocks."""
    stages = [(256, 3), (512, 4), (1024, 6), (2048, 3)]
    more = sum(n * sum(p.numel() for p in create("cbam", channels=c).parameters()) for c, n in stages)
    assert 25_557_032 + more == 28_089_624


def test_a_window_has_a_middle():
    with pytest.raises(UsageError, match="odd"):
        create("cbam", channels=4, kernel_size=4)
