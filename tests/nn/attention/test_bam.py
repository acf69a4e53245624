import torch

from torchatlas import create
from windows import conv, drawn, equal, numbers

from .plain import batch_norm, means, narrowed, pointwise, relu, shaken, sigmoid


def test_channels_and_positions_side_by_side():
    x, layer = drawn(2, 6, 9, 7), shaken("bam", channels=6, reduction=2)
    a = numbers(x)
    first, last = layer.position[:3], layer.position[9]
    z = narrowed(first, a, norm=True)
    for k in (3, 6):
        wide, norm = layer.position[k], layer.position[k + 1]
        z = relu(batch_norm(norm, conv(torch.as_tensor(z), wide.weight, wide.bias, 1, 4, 4)))
    scores = narrowed(layer.channel, means(a), norm=True) + pointwise(last, z)
    equal(layer(x), a * (1 + sigmoid(scores)))


def test_parameters_between_the_stages_of_resnet50():
    """ResNet-50 has 25,557,032 parameters, and 25,915,099 with BAM after three of its stages."""
    sizes = (sum(p.numel() for p in create("bam", channels=c).parameters()) for c in (256, 512, 1024))
    assert 25_557_032 + sum(sizes) == 25_915_099
