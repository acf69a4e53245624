import math

import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.vision_transformers import SwinTransformer
from torchatlas.networks.vision_transformers.swin import PatchMerging, WindowAttention


def shaken(net, seed=0):
    draws = torch.Generator().manual_seed(seed)
    for parameter in net.double().parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=draws, dtype=torch.double) / 3)
    return net.eval()


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def attended(layer, x, window, shift):
    """Pixel by pixel: each sees those of its window in the shifted grid, which the map's edges cut."""
    (b1, w1), (b2, w2) = ((m.bias, m.weight) for m in (layer.inward, layer.outward))
    height, width = (-(-side // w) * w for side, w in zip(x.shape[:2], window, strict=True))
    full = torch.zeros(height, width, x.shape[2], dtype=x.dtype)
    full[: x.shape[0], : x.shape[1]] = x
    qkv = full @ w1.T + b1
    d = x.shape[2] // layer.heads

    def home(y, x):  # the window of a pixel, where windows begin at the shift; the cut ones at the edges
        return tuple((p - s) // w for p, s, w in zip((y, x), shift, window, strict=True))

    out = torch.zeros_like(x)
    for y in range(x.shape[0]):
        for z in range(x.shape[1]):
            mine = home(y, z)
            others = [(r, c) for r in range(height) for c in range(width) if home(r, c) == mine]
            heads = []
            for h in range(layer.heads):
                q = qkv[y, z, h * d : (h + 1) * d]
                k, v = (
                    torch.stack(
                        [qkv[r, c, n * x.shape[2] + h * d : n * x.shape[2] + (h + 1) * d] for r, c in others]
                    )
                    for n in (1, 2)
                )
                rows = 2 * window[1] - 1
                bias = torch.stack(
                    [layer.bias[(y - r + window[0] - 1) * rows + z - c + window[1] - 1, h] for r, c in others]
                )
                heads.append((k @ q / math.sqrt(d) + bias).softmax(0) @ v)
            out[y, z] = w2 @ torch.cat(heads) + b2
    return out


@pytest.mark.parametrize(
    ("size", "window", "shift"),
    [((6, 4), (3, 2), (0, 0)), ((6, 6), (3, 3), (1, 1)), ((5, 7), (3, 3), (1, 1)), ((6, 2), (3, 2), (1, 0))],
)
def test_attention_stays_in_shifted_windows(size, window, shift):
    layer = shaken(WindowAttention(4, 2, window, shift))
    x = drawn(2, *size, 4)
    expected = torch.stack([attended(layer, each, window, shift) for each in x])
    torch.testing.assert_close(layer(x), expected)


def test_merging_puts_four_pixels_side_by_side():
    layer = shaken(PatchMerging(2))
    x = drawn(1, 3, 4, 2)
    full = F.pad(x[0], (0, 0, 0, 0, 0, 1))
    for y in (0, 1):
        for z in (0, 1):
            four = torch.cat([full[2 * y + r, 2 * z + c] for c in (0, 1) for r in (0, 1)])
            spread = four - four.mean()
            four = layer.norm.weight * spread / (spread.square().mean() + 1e-5).sqrt() + layer.norm.bias
            torch.testing.assert_close(layer(x)[0, y, z], layer.reduction.weight @ four)


def test_every_second_block_shifts_unless_a_side_is_no_longer_than_a_window():
    with torch.device("meta"):
        net = create("swin_tiny", input_size=(448, 224), patch_size=4)
    shifts = [
        [block[0].mixing.shift for name, block in s.named_children() if name != "merge"] for s in net.stages
    ]
    assert shifts == [
        [(0, 0), (3, 3)],
        [(0, 0), (3, 3)],
        [(0, 0), (3, 3)] * 3,
        [(0, 0), (3, 0)],
    ]
    with torch.device("meta"):
        net = create("swin_tiny", input_size=(32, 32))
        maps = net.feature_maps(torch.empty(2, 3, 32, 32))
    assert [tuple(each.shape[1:]) for each in maps] == [(96, 32, 32), (192, 16, 16), (384, 8, 8), (768, 4, 4)]
    assert net.stages[3].block1[0].mixing.window == (4, 4)


@pytest.mark.parametrize(
    ("name", "parameters", "billions"),
    [("swin_tiny", 28_288_354, 4.5), ("swin_small", 49_606_258, 8.7), ("swin_base", 87_768_224, 15.4)],
)
def test_sizes_are_the_published_ones(name, parameters, billions):
    with torch.device("meta"):
        net = create(name)
        cost = count_macs(net, torch.empty(1, 3, 224, 224)).total
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert round(cost / 1e9, 1) == billions


@pytest.mark.parametrize(
    ("words", "said"),
    [({"layers": (2, 2)}, "as many stages"), ({"heads": (5, 6, 12, 24)}, "multiple of heads=5")],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        SwinTransformer(**words)
