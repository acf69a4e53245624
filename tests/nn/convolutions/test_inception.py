import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.convolutions import InceptionConv2d
from windows import conv, drawn, equal

X = drawn(2, 3, 8, 7)


@pytest.mark.parametrize("stride", [1, 2])
def test_each_channel_is_a_convolution_of_its_own_dilation(stride):
    pairs = [(2, 1), (1, 1), (3, 2), (2, 1), (1, 3)]
    layer = create("inception_conv", 3, 5, kernel_size=3, stride=stride, dilations=pairs).double()
    alone = [conv(X, layer.weight[[o]], layer.bias[[o]], stride, d, d) for o, d in enumerate(pairs)]
    equal(layer(X), torch.cat([torch.as_tensor(y) for y in alone], 1))


def test_dilations_of_one_are_a_convolution_and_by_default_all_take_turns():
    layer = create("inception_conv", 3, 4, kernel_size=(3, 5), dilations=1, bias=False).double()
    equal(layer(X), conv(X, layer.weight, None, 1, (1, 2)))
    assert create("inception_conv", 3, 5, dilations=2).dilations == ((1, 1), (1, 2), (2, 1), (2, 2), (1, 1))


def test_the_search_finds_the_patterns_that_are_there():
    large = torch.nn.Conv2d(3, 4, 7, padding=3).double()
    truth = [(1, 1), (3, 2), (2, 3), (1, 3)]
    with torch.no_grad():
        large.weight.mul_(0.01)
        for o, (d, e) in enumerate(truth):
            large.weight[o, :, 3 - d : 4 + d : d, 3 - e : 4 + e : e] += drawn(3, 3, 3, seed=o)
    layer = InceptionConv2d.searched(large, X)
    assert layer.dilations == tuple(truth) and layer.weight.dtype == torch.double
    with torch.no_grad():
        for o, (d, e) in enumerate(truth):
            kept = torch.zeros_like(large.weight[o])
            kept[:, 3 - d : 4 + d : d, 3 - e : 4 + e : e] = large.weight[
                o, :, 3 - d : 4 + d : d, 3 - e : 4 + e : e
            ]
            large.weight[o] = kept
    equal(layer(X), large(X))


def test_wrong_words():
    for words in ({"dilations": [(1, 1)]}, {"dilations": 0}, {"kernel_size": 2}):
        with pytest.raises(UsageError):
            create("inception_conv", 3, 4, **words)
    with pytest.raises(UsageError, match="padded to keep"):
        InceptionConv2d.searched(torch.nn.Conv2d(3, 4, 7), X)
