import pytest
import torch
import torch.nn.functional as F

from torchatlas.networks.convolutional import Conv4


def test_without_a_head_it_has_the_papers_size():
    net = Conv4(num_classes=0)
    assert sum(p.numel() for p in net.parameters()) == 111_936  # 640 + 3 * 36,928, and 2 * 64 a block
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 64)
    assert Conv4(5, 3, (84, 84), 32).head.in_features == 800


def test_it_is_convolution_norm_relu_pool_four_times():
    torch.manual_seed(0)
    net, x = Conv4(3, 2, (17, 32), width=4).double(), torch.randn(6, 2, 17, 32).double()
    weights, start, shape = list(net.parameters()), x, (1, -1, 1, 1)
    for k in range(4):
        weight, bias, gain, offset = weights[4 * k : 4 * k + 4]
        x = F.conv2d(x, weight, bias, padding=1)
        mean, spread = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        x = (x - mean.view(shape)) / (spread + 1e-5).sqrt().view(shape) * gain.view(shape) + offset.view(
            shape
        )
        x = F.max_pool2d(x.clamp(min=0), 2)
    torch.testing.assert_close(net(start), x.flatten(1) @ weights[-2].T + weights[-1])


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (3, 20)])
def test_a_map_of_one_pixel_is_pooled_no_further(size):
    assert Conv4(3, input_size=size, width=4).eval()(torch.zeros(2, 1, *size)).shape == (2, 3)
