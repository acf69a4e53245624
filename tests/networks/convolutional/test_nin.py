import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.networks.convolutional import NiN


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
