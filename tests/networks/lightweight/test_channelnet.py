import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.lightweight.channelnet import ChannelNet, ChannelwiseClassifier, ChannelwiseConv2d
from windows import drawn, equal, numbers

COUNTS = {"channelnet_v1": 3_714_376, "channelnet_v2": 2_665_864, "channelnet_v3": 1_642_089}


@pytest.mark.parametrize("name", COUNTS)
def test_sizes_are_those_of_the_paper_s_text(name):
    with torch.device("meta"):
        net = create(name)
    assert sum(p.numel() for p in net.parameters()) == COUNTS[name]
    heads = {"channelnet_v3": 25 * 7 * 7}
    assert sum(p.numel() for p in net.head.parameters()) == heads.get(name, 1025 * 1000)


def along(x: np.ndarray, weight: np.ndarray, before: int) -> np.ndarray:
    """Each filter along the channels of (b, c, h, w), in steps of as many channels as there are filters."""
    b, c, h, w = x.shape
    y = np.zeros_like(x)
    for n, i, j in np.ndindex(b, h, w):
        for k, row in enumerate(weight):
            for step in range(c // len(weight)):
                for t, value in enumerate(row):
                    place = step * len(weight) + t - before
                    if 0 <= place < c:
                        y[n, k * (c // len(weight)) + step, i, j] += value * x[n, place, i, j]
    return y


@pytest.mark.parametrize(("length", "filters", "before"), [(8, 2, 3), (5, 1, 2), (6, 1, 2), (12, 3, 4)])
def test_filters_move_along_the_channels(length, filters, before):
    layer, x = ChannelwiseConv2d(length, filters).double(), drawn(2, 12, 3, 2)
    assert layer.conv.weight.numel() == length * filters
    equal(layer(x), along(numbers(x), numbers(layer.conv.weight.flatten(1)), before))


def test_the_classifier_steps_along_the_channels_of_the_whole_map():
    layer, x = ChannelwiseClassifier(7, 6, 4).double(), drawn(2, 7, 2, 3)
    weight = layer.conv.weight[0, 0].detach()
    assert weight.shape == (4, 6)
    logits = layer(x.flatten(1))
    for n, k in np.ndindex(2, 4):
        expected = sum((weight[c] * x[n, k + c].flatten()).sum() for c in range(4))
        assert logits[n, k].item() == pytest.approx(expected.item())


def trained(net: nn.Module) -> nn.Module:
    """As after training: statistics and scales are no longer those of the start."""
    seeded = torch.Generator().manual_seed(0)
    for name, value in net.double().eval().state_dict().items():
        if value.ndim == 1 and value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=seeded) + (0.5 if "var" in name else -0.5))
    return net


def plain(net: ChannelNet, x: torch.Tensor, last: str, classifier: str) -> torch.Tensor:
    """The paper's table from the weights alone, in evaluation mode, for a small image."""
    weights = iter(net.state_dict().values())

    def normed(x):
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return (gain * (x - mean) / (variance + 1e-5).sqrt() + shift).clamp(0, 6)

    def filtered(x, length):
        before = (length - 2) // 2 if length == 8 else (length - 1) // 2
        return torch.as_tensor(along(numbers(x), numbers(next(weights).flatten(1)), before))

    def layer(x, stride=1, groups=1):
        x = normed(F.conv2d(x, next(weights), None, stride, 1, 1, x.shape[1]))
        return normed(F.conv2d(x, next(weights), groups=groups))

    x = normed(F.conv2d(x, next(weights), padding=1))
    for stride in (1, 1, 1, 2, 1, 2):
        x = layer(x, stride)
    for mixes in (True, True, False):
        y = filtered(x, 8) if mixes else x
        x = x + layer(layer(y, groups=2), groups=2)
    x = layer(x, 2)
    if last == "channelwise":
        x = normed(filtered(normed(F.conv2d(x, next(weights), None, 1, 1, 1, x.shape[1])), 5))
    else:
        x = layer(x)
    if classifier == "dense":
        return x.mean((2, 3)) @ next(weights).T + next(weights)
    kernel = next(weights)[0, 0].unflatten(1, x.shape[2:])
    return torch.stack([(x[:, k : k + len(kernel)] * kernel).sum((1, 2, 3)) for k in range(3)], 1)


@pytest.mark.parametrize(
    ("last", "classifier"), [("pointwise", "dense"), ("channelwise", "dense"), ("channelwise", "convolution")]
)
def test_it_is_the_network_of_the_table(last, classifier):
    net = trained(ChannelNet(3, 2, (9, 6), 1, 2, 5, last, classifier))
    x = drawn(2, 2, 9, 6)
    torch.testing.assert_close(net(x), plain(net, x, last, classifier), rtol=1e-9, atol=1e-9)


def test_large_images_are_halved_five_times():
    with torch.device("meta"):
        maps = create("channelnet_v3", width=2, num_classes=5).feature_maps(torch.zeros(1, 3, 224, 224))
    assert [m.shape[2] for m in maps] == [112, 56, 28, 14, 7]


@pytest.mark.parametrize(
    "words",
    [
        {"last": "dense"},
        {"classifier": "pool"},
        {"groups": 3},
        {"width": 2, "num_classes": 65, "classifier": "convolution"},
    ],
)
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(UsageError, match=str(list(words.values())[-1] if len(words) == 1 else 65)):
        ChannelNet(**words)


def test_another_size_is_refused_by_the_classifier_that_covers_the_map():
    net = ChannelNet(3, 1, (16, 16), 1, classifier="convolution").eval()
    with pytest.raises(UsageError, match="input_size"):
        net(torch.zeros(1, 1, 32, 32))
