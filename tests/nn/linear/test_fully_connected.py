import pytest
import torch

from torchatlas import create
from torchatlas.inspection import count_macs, count_params


def test_each_output_is_a_weighted_sum_of_all_inputs():
    layer, x = create("fully_connected", in_features=3, out_features=2).double(), [0.5, -2.0, 1.5]
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    expected = [
        sum(w * value for w, value in zip(row, x, strict=True)) + b
        for row, b in zip(weight, bias, strict=True)
    ]
    assert layer(torch.tensor(x, dtype=torch.double)).tolist() == pytest.approx(expected, abs=1e-12)


def test_its_size_is_the_published_one():
    layer = create("fully_connected", in_features=4096, out_features=1000)
    assert count_params(layer).total == 4_097_000
    assert count_macs(layer, torch.zeros(1, 4096)).total == 4_096_000
