import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import catalog
from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import LargeNiN, NiN


def test_it_is_the_paper_s_network():
    net = NiN().eval()
    weights = iter([p for p in net.double().parameters()])

    def perceptron(x, padding):
        for layer in range(3):
            x = F.conv2d(x, next(weights), next(weights), padding=0 if layer else padding).clamp(min=0)
        return x

    x = torch.randn(2, 3, 32, 32, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    maps = F.max_pool2d(perceptron(x, 2), 3, 2, padding=1)
    assert maps.shape == (2, 96, 16, 16)
    maps = F.avg_pool2d(perceptron(maps, 2), 3, 2, padding=1)
    assert maps.shape == (2, 192, 8, 8)
    expected = perceptron(maps, 1).mean((2, 3))
    assert next(weights, None) is None
    torch.testing.assert_close(net(x), expected)


def test_size_is_the_published_one():
    with torch.device("meta"):
        net = NiN()
    assert sum(p.numel() for p in net.parameters()) == 966_986
    assert not any(isinstance(layer, nn.Linear) for layer in net.modules())
    kernels = [(c.kernel_size[0], c.out_channels) for c in net.modules() if isinstance(c, nn.Conv2d)]
    assert kernels == [(5, 192), (1, 160), (1, 96), (5, 192), (1, 192), (1, 192), (3, 192), (1, 192), (1, 10)]


def test_half_of_the_maps_points_drop_out_after_each_pooling():
    drops = [layer.p for layer in NiN().modules() if isinstance(layer, nn.Dropout)]
    assert (
        drops == [0.5, 0.5]
        and [d.p for d in NiN(dropout=0.1).modules() if isinstance(d, nn.Dropout)] == [0.1] * 2
    )


def test_logits_start_above_zero_for_every_class():
    for seed in range(3):
        torch.manual_seed(seed)
        logits = NiN().eval()(torch.randn(4, 3, 32, 32))
        assert (logits > 0).all()


def test_any_size_of_image_fits():
    assert NiN(7, in_channels=1, input_size=(9, 20)).eval()(torch.zeros(2, 1, 9, 20)).shape == (2, 7)


def test_the_same_weights_take_other_sizes():
    net = NiN(7, in_channels=1).eval()
    assert net(torch.zeros(2, 1, 13, 20)).shape == (2, 7)


@pytest.mark.parametrize("size", [(67, 67), (75, 101)])
def test_the_large_one_is_the_textbook_s_network(size):
    net = LargeNiN(5, 2, size, (8, 10, 12)).double().eval()
    noise = torch.Generator().manual_seed(0)
    for value in net.state_dict().values():  # biases are not zero after training
        if value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=noise) - 0.3)
    weights = iter(net.state_dict().values())

    def block(x, stride, padding):
        for layer in range(3):
            words = {} if layer else {"stride": stride, "padding": padding}
            x = F.conv2d(x, next(weights), next(weights), **words).clamp(min=0)
        return x

    x = torch.randn(2, 2, *size, dtype=torch.double, generator=noise)
    maps = x
    for stride, padding in ((4, 0), (1, 2), (1, 1)):
        maps = F.max_pool2d(block(maps, stride, padding), 3, 2)
    expected = block(maps, 1, 1).mean((2, 3))
    assert next(weights, None) is None
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(net.forward_features(x), maps.flatten(1))


def test_the_large_one_s_size_and_cost_are_the_known_ones():
    with torch.device("meta"):
        net, grey = LargeNiN(), LargeNiN(10, 1)
    assert sum(p.numel() for p in net.parameters()) == 7_439_608
    assert sum(p.numel() for p in grey.parameters()) == 1_992_166
    assert not any(isinstance(layer, nn.Linear) for layer in net.modules())
    products = [  # a convolution and two layers at every pixel: 54, 26, 12 and 5 pixels a side of 224
        (n**2 * c * (k * k * before + 2 * c))
        for n, k, before, c in ((54, 11, 3, 96), (26, 5, 96, 256), (12, 3, 256, 384), (5, 3, 384, 1000))
    ]
    assert catalog()["nin"].figures["multiply_adds"] == sum(products)


def test_the_large_one_drops_half_of_its_features():
    drops = [
        layer.p for layer in LargeNiN(5, 1, (67, 67), (4, 4, 4)).modules() if isinstance(layer, nn.Dropout)
    ]
    assert drops == [0.5]
    net = LargeNiN(5, 1, (67, 67), (4, 4, 4), dropout=1.0).train()
    assert not net.forward_features(torch.randn(2, 1, 67, 67)).any()


@pytest.mark.parametrize("make", [NiN, lambda classes: LargeNiN(classes, 3, (67, 67), (8, 8, 8))])
def test_logits_of_a_new_head_start_above_zero(make):
    net = make(3).reset_head(6).eval()
    size = (32, 32) if isinstance(net, NiN) else (67, 67)
    assert (net(torch.randn(4, 3, *size)) > 0).all()


def test_images_without_a_map_are_refused():
    with pytest.raises(
        UsageError, match=r"nin needs images of at least 67x67, not 80x66.*enlarged to 224x224"
    ):
        LargeNiN(input_size=(80, 66))
