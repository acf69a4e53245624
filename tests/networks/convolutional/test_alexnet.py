import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_params
from torchatlas.networks.convolutional import AlexNet
from torchatlas.networks.convolutional.alexnet import ResponseNorm

WIDTHS = (8, 12, 10, 8, 6)


def normed(x: torch.Tensor) -> torch.Tensor:
    """Section 3.3 of the paper, channel by channel."""
    out = []
    for i in range(x.shape[1]):
        around = range(max(0, i - 2), min(x.shape[1] - 1, i + 2) + 1)
        out.append(x[:, i] / (2 + 1e-4 * sum(x[:, j] ** 2 for j in around)) ** 0.75)
    return torch.stack(out, 1)


def plain(
    net: AlexNet, x: torch.Tensor, groups: int, padding: int, norm: bool, grid: int = 0
) -> torch.Tensor:
    """Figure 2 of the paper from the weights alone: with two cards, each half of the maps is its own."""
    weights = iter(net.state_dict().values())

    def conv(x, stride=1, padding=1, cards=1):
        kernel, bias = next(weights), next(weights)
        halves = zip(x.chunk(cards, 1), kernel.chunk(cards), strict=True)
        maps = torch.cat([F.conv2d(x, k, stride=stride, padding=padding) for x, k in halves], 1)
        return (maps + bias[:, None, None]).clamp(min=0)

    def pool(x):
        return F.max_pool2d(x, 3, 2)

    for k, (stride, pad, cards) in enumerate([(4, padding, 1), (1, 2, groups)]):
        x = conv(x, stride, pad, cards)
        x = pool(normed(x) if norm else x)
        assert x.shape[1] == WIDTHS[k]
    x = pool(conv(conv(conv(x), cards=groups), cards=groups))
    x = (F.adaptive_avg_pool2d(x, grid) if grid else x).flatten(1)
    for _ in range(2):
        x = (x @ next(weights).T + next(weights)).clamp(min=0)
    return x @ next(weights).T + next(weights)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alexnet", {"groups": 2, "padding": 0, "norm": True}),
        ("alexnet_torchvision", {"groups": 1, "padding": 2, "norm": False, "grid": 6}),
        ("alexnet_d2l", {"groups": 1, "padding": 1, "norm": False}),
    ],
)
@pytest.mark.parametrize("size", [(67, 67), (83, 110)])
def test_it_is_the_paper_s_network(name, words, size):
    options = {"num_classes": 5, "in_channels": 2, "input_size": size, "widths": WIDTHS, "hidden": (9, 7)}
    net = create(name, **options).double().eval()
    noise = torch.Generator().manual_seed(0)
    for value in net.state_dict().values():  # biases are not zero after training
        if value.ndim == 1:
            value.copy_(torch.randn(value.shape, generator=noise))
    x = 9 * torch.randn(2, 2, *size, dtype=torch.double, generator=noise)
    torch.testing.assert_close(net(x), plain(net, x, **words), rtol=1e-9, atol=1e-9)


def test_response_normalisation_is_the_paper_s():
    x = 99 * torch.randn(2, 9, 3, 4, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ResponseNorm()(x), normed(x))
    assert ResponseNorm()(x.bfloat16()).dtype == torch.bfloat16


def test_sizes_are_the_published_ones():
    # the paper: "60 million parameters"; 46,764,746 for a textbook's grey images of 10 classes
    counts = {"alexnet": 60_965_224, "alexnet_torchvision": 61_100_840, "alexnet_d2l": 50_844_008}
    with torch.device("meta"):
        assert {name: count_params(create(name)).total for name in counts} == counts
        assert count_params(create("alexnet_d2l", num_classes=10, in_channels=1)).total == 46_764_746


def test_cards_state_the_cost():
    def cost(first, second, third, features):  # (pixels a side, maps, weights of one pixel of a map)
        maps = [pixels**2 * channels * weights for pixels, channels, weights in (first, second, *third)]
        return sum(maps) + features * 4096 + 4096 * 4096 + 4096 * 1000

    paper = [(13, 384, 9 * 256), (13, 384, 9 * 192), (13, 256, 9 * 192)]
    tower = [(13, 384, 9 * 192), (13, 256, 9 * 384), (13, 256, 9 * 256)]
    book = [(12, 384, 9 * 256), (12, 384, 9 * 384), (12, 256, 9 * 384)]
    expected = {
        "alexnet": cost((55, 96, 363), (27, 256, 25 * 48), paper, 9216),
        "alexnet_torchvision": cost((55, 64, 363), (27, 192, 25 * 64), tower, 9216),
        "alexnet_d2l": cost((54, 96, 363), (26, 256, 25 * 96), book, 6400),
    }
    assert {name: catalog()[name].figures["multiply_adds"] for name in expected} == expected


@pytest.mark.parametrize("first", [False, True])
def test_dropout_falls_on_what_layers_give_or_are_given(first):
    words = {"input_size": (67, 67), "widths": WIDTHS, "hidden": (9,), "dropout": 1.0, "dropout_first": first}
    net = AlexNet(**words).train()
    dense = next(layer for layer in net.neck[3] if isinstance(layer, nn.Linear))
    nn.init.ones_(dense.bias)
    features = net.forward_features(torch.randn(2, 3, 67, 67))
    assert torch.equal(features, torch.full((2, 9), float(first)))


def test_with_a_grid_the_same_weights_take_other_sizes():
    net = AlexNet(4, 1, (67, 67), WIDTHS, hidden=(9, 7), grid=(2, 3)).eval()
    assert net(torch.zeros(2, 1, 90, 75)).shape == (2, 4)
    assert net.neck[3][0].in_features == 6 * 6


@pytest.mark.parametrize(
    ("name", "least"), [("alexnet", 67), ("alexnet_torchvision", 63), ("alexnet_d2l", 65)]
)
def test_images_without_a_map_are_refused(name, least):
    words = {"widths": WIDTHS, "hidden": (9,)}
    assert create(name, input_size=(least, least + 9), **words)
    with pytest.raises(UsageError, match=f"at least {least}x{least}, not 99x{least - 1}.*enlarged"):
        create(name, input_size=(99, least - 1), **words)
