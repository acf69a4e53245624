import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection import count_activations


def test_each_layer_s_output_counts_by_its_type():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 5)
    )
    x = torch.zeros(2, 3, 8, 8)
    expected = {"0": 2 * 8 * 64 * 4, "1": 2 * 8 * 64 * 4, "2": 2 * 8 * 16 * 4, "4": 2 * 5 * 4}
    assert count_activations(net, x).layers == expected
    assert count_activations(net, x).total == sum(expected.values())
    half = {name: number // 2 for name, number in expected.items()}
    assert count_activations(net.bfloat16(), x.bfloat16()).layers == half


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.same, self.act = nn.Linear(4, 4), nn.Identity(), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.body(x) + self.same(x)) * 2

    def half(self, x):
        return self.body(x)


@pytest.mark.parametrize("looks", [False, True])
def test_what_is_there_already_counts_nothing(looks):
    block, x = Block(), torch.zeros(3, 4)
    if looks:
        block.same = Looks()
    counted = count_activations(block, x).layers
    # the sum is the block's own business until the in-place layer hands it on
    assert counted == {"body": 48, "act": 48, "(itself)": 48}
    assert count_activations(block, x, call="half").layers == {"body": 48}


class Looks(nn.Module):
    def forward(self, x):
        return x if float(x.sum()) == 0 else None


def test_several_results_and_shared_layers():
    lstm = nn.LSTM(10, 20)
    assert count_activations(lstm, torch.zeros(5, 2, 10)).total in (
        4 * (5 * 2 * 20 + 2 * 2 * 20),
        4 * (5 * 2 * 20 + 2 * 20),
    )
    layer = nn.Linear(4, 4)
    assert count_activations(nn.Sequential(layer, layer), torch.zeros(3, 4)).total == 2 * 48


def test_lenet_by_hand():
    net = create("lenet5")
    maps = 2 * 6 * 24 * 24 + 6 * 12 * 12 + 2 * 16 * 8 * 8 + 16 * 4 * 4
    assert count_activations(net, torch.zeros(1, 1, 28, 28)).total == 4 * (maps + 2 * 120 + 2 * 84 + 10)
    with pytest.raises(UsageError, match="no shape yet"):
        count_activations(nn.LazyLinear(3), torch.zeros(2, 4))
