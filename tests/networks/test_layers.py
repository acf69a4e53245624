import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.networks.layers import blocks_of, conv_norm, divisible, mean_pool, pooled_stem, start_kaiming


def test_a_convolution_is_normalised_and_activated():
    layer = conv_norm(4, 8, (3, 5), 2, 2, activation="relu6", eps=1e-3)
    conv, norm, act = layer
    assert conv.bias is None and conv.groups == 2 and conv.padding == (1, 2) and conv.stride == (2, 2)
    assert norm.eps == 1e-3 and isinstance(act, nn.ReLU6)
    assert layer(torch.zeros(2, 4, 9, 8)).shape == (2, 8, 5, 4)
    assert len(conv_norm(4, 8, activation=None)) == 2 and conv_norm(4, 8, 3, padding=0)[0].padding == (0, 0)


def test_the_mean_is_over_the_map():
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(mean_pool()(x), x.mean((2, 3)))


# 0.9 · 24 = 21.6 is nearer to 24; 10.8 would round to 8, which is below 90 % of it, and so becomes 16
@pytest.mark.parametrize(
    ("width", "divisor", "found"),
    [(21.6, 8, 24), (10.8, 8, 16), (3, 8, 8), (33.6, 8, 32), (36, 4, 36), (20.8, 4, 20)],
)
def test_widths_are_multiples(width, divisor, found):
    assert divisible(width, divisor) == found


def test_weights_start_by_the_fan_out_of_a_group():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(64, 640, 5, groups=64), nn.Conv2d(640, 64, 1), nn.BatchNorm2d(64))
    start_kaiming(net)
    assert net[0].weight.std().item() == pytest.approx((2 / (25 * 10)) ** 0.5, rel=0.05)
    assert net[1].weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    assert not net[0].bias.any() and net[2].weight.eq(1).all()


def test_the_rule_by_the_fan_in_and_of_dense_layers():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(8, 64, 5, groups=2), nn.Flatten(), nn.Linear(400, 300))
    kept = net[2].weight.clone()
    start_kaiming(net, fan="in")
    assert net[0].weight.std().item() == pytest.approx((2 / (25 * 4)) ** 0.5, rel=0.05)
    assert torch.equal(net[2].weight, kept)
    start_kaiming(net, fan="in", dense=True)
    assert net[2].weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.05)


def test_a_stem_halves_twice_and_not_at_all_for_small_images():
    x = torch.zeros(2, 3, 20, 14)
    assert pooled_stem(3, 8, 7, False)(x).shape == (2, 8, 5, 4)
    assert pooled_stem(3, 8, 7, True)(x).shape == (2, 8, 20, 14)


def test_a_depth_is_of_whole_blocks():
    assert (blocks_of(20), blocks_of(28, 6, 4), blocks_of(164, 9)) == (3, 4, 18)
    for depth in (2, 7, 21):
        with pytest.raises(UsageError, match=rf"6n \+ 2 \(8, 14 …\), not {depth}"):
            blocks_of(depth)
