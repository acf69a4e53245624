import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.inspection import count_macs, separable_cost_ratio


def macs(module, channels):
    return count_macs(module, torch.zeros(1, channels, 9, 9)).total


@pytest.mark.parametrize(("inside", "outside", "k"), [(16, 64, 3), (8, 5, 7)])
def test_it_is_the_ratio_of_real_layers(inside, outside, k):
    whole = macs(nn.Conv2d(inside, outside, k, padding=k // 2), inside)
    deep = nn.Sequential(
        nn.Conv2d(inside, inside, k, padding=k // 2, groups=inside), nn.Conv2d(inside, outside, 1)
    )
    assert macs(deep, inside) / whole == pytest.approx(separable_cost_ratio("depthwise", outside, k))
    square = macs(nn.Conv2d(inside, inside, k, padding=k // 2), inside)
    cross = nn.Sequential(
        nn.Conv2d(inside, inside, (k, 1), padding=(k // 2, 0)),
        nn.Conv2d(inside, inside, (1, k), padding=(0, k // 2)),
    )
    assert macs(cross, inside) / square == pytest.approx(separable_cost_ratio("spatial", kernel_size=k))
    grouped = macs(nn.Conv2d(inside, inside, k, padding=k // 2, groups=4), inside)
    assert grouped / square == pytest.approx(separable_cost_ratio("grouped", groups=4))


def test_the_known_value_and_wrong_words():
    assert separable_cost_ratio(out_channels=64, kernel_size=3) == pytest.approx(0.126736, abs=1e-6)
    for wrong in ({"kind": "flat"}, {"out_channels": 0}, {"groups": 0}):
        with pytest.raises(UsageError):
            separable_cost_ratio(**wrong)
