import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import LeNet5
from torchatlas.networks.convolutional.lenet import CodeDistance, ScaledTanh, SparseConv2d, Subsampling


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("pad", "count", "adds"), [(0, 44_426, 281_640), (2, 61_706, 416_520)])
def test_size_is_the_published_one(pad, count, adds):
    net = LeNet5(pad_first=pad)
    assert parameters(net) == count
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 1, 28, 28))
    assert counter.get_total_flops() == 2 * adds


def test_it_is_the_textbook_s_stack():
    net = LeNet5().eval()
    plain = nn.Sequential(
        *(
            nn.Conv2d(1, 6, 5),
            nn.Sigmoid(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.Sigmoid(),
            nn.MaxPool2d(2),
        ),
        *(
            nn.Flatten(),
            nn.Linear(256, 120),
            nn.Sigmoid(),
            nn.Linear(120, 84),
            nn.Sigmoid(),
            nn.Linear(84, 10),
        ),
    )
    plain.load_state_dict(dict(zip(plain.state_dict(), net.state_dict().values(), strict=True)))
    x = torch.randn(3, 1, 28, 28)
    assert torch.equal(net(x), plain(x))
    assert net.forward_features(x).shape == (3, 84)


def test_the_paper_s_network_has_sixty_thousand_parameters():
    net = create("lenet5_1998")
    sizes = [parameters(layer) for layer in net.body if parameters(layer)]
    assert sizes == [156, 12, 1516, 32, 48_120, 10_164]
    assert parameters(net) == sum(sizes) == 60_000
    assert catalog()["lenet5_1998"].figures["parameters"] == 60_000


def test_other_channels_and_sizes():
    assert LeNet5(7, in_channels=3, input_size=(32, 40))(torch.zeros(2, 3, 32, 40)).shape == (2, 7)
    assert LeNet5(input_size=(16, 16))(torch.zeros(2, 1, 16, 16)).shape == (2, 10)


@pytest.mark.parametrize(
    ("size", "pad", "least"), [((8, 8), 0, "16x16"), ((28, 15), 0, "16x16"), ((11, 28), 2, "12x12")]
)
def test_a_small_input_is_refused_with_the_cure(size, pad, least):
    with pytest.raises(UsageError, match=f"at least {least}, not {size[0]}x{size[1]}"):
        LeNet5(input_size=size, pad_first=pad)


@pytest.mark.parametrize("option", [{"pooling": "mean"}, {"output": "rbf"}])
def test_unknown_parts_are_refused(option):
    with pytest.raises(UsageError, match=next(iter(option.values()))):
        LeNet5(**option)


def test_links_are_the_paper_s_table():
    layer = SparseConv2d()
    nn.init.normal_(layer.weight)
    table = np.zeros((16, 6), dtype=int)
    for k in range(6):  # three and four in a row, around the ring of six
        table[k, [(k + j) % 6 for j in range(3)]] = 1
        table[6 + k, [(k + j) % 6 for j in range(4)]] = 1
    for k in range(3):  # opposite pairs
        table[12 + k, [k, (k + 1) % 6, (k + 3) % 6, (k + 4) % 6]] = 1
    table[15] = 1
    assert table.sum() == 60
    got = np.zeros_like(table)
    for column in range(6):
        x = torch.zeros(1, 6, 5, 5)
        x[0, column] = torch.randn(5, 5)
        got[:, column] = (layer(x)[0, :, 0, 0] != 0).numpy()
    assert sorted(map(tuple, got)) == sorted(map(tuple, table))


def test_sparse_convolution_is_a_dense_one_with_holes():
    layer = SparseConv2d().double()
    nn.init.normal_(layer.weight)
    dense = torch.zeros(16, 6, 5, 5, dtype=torch.double)
    for link, (row, column) in enumerate(zip(layer.outputs.tolist(), layer.inputs.tolist(), strict=True)):
        dense[row, column] = layer.weight[link].detach()
    x = torch.randn(2, 6, 9, 8, dtype=torch.double)
    torch.testing.assert_close(layer(x), conv2d(x, dense, layer.bias))


def test_subsampling_sums_four_scales_and_shifts():
    layer = Subsampling(1)
    with torch.no_grad():
        layer.gain.fill_(0.5)
        layer.bias.fill_(3.0)
    assert layer(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).item() == 0.5 * 10 + 3


@pytest.mark.parametrize("x", [-1.0, 0.0, 0.3, 1.0])
def test_scaled_tanh(x):
    got = ScaledTanh()(torch.tensor(x, dtype=torch.double)).item()
    assert got == pytest.approx(1.7159 * math.tanh(2 * x / 3), abs=1e-12)
    assert abs(ScaledTanh()(torch.tensor(1.0)).item() - 1) < 1e-4


def test_code_distances_are_the_same_in_every_network():
    one, other = CodeDistance(84, 10), CodeDistance(84, 10)
    assert torch.equal(one.codes, other.codes)
    assert set(one.codes.unique().tolist()) == {-1.0, 1.0}
    f = torch.randn(1, 84)
    expected = [-float((f[0] - code).square().sum()) for code in one.codes]
    torch.testing.assert_close(one(f)[0], torch.tensor(expected))


def test_sigmoid_layers_start_four_times_as_wide():
    for activation, gain in (("sigmoid", 4.0), ("relu", 1.0)):
        weight = LeNet5(activation=activation).body[7].weight.detach()
        assert float(weight.abs().max()) == pytest.approx(gain * math.sqrt(6 / (256 + 120)), rel=1e-2)
