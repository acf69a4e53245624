import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.vision_transformers import Twins
from torchatlas.networks.vision_transformers.twins import LocalAttention, SubsampledAttention

WORDS = {"num_classes": 5, "in_channels": 2, "input_size": (9, 7), "patch_size": 1, "window": 3}
SIZES = {"layers": (2, 3), "widths": (4, 8), "heads": (1, 2), "ratios": (3, 1)}


def shaken(net, seed=0):
    """In double precision, with other weights than a fresh network's."""
    draws = torch.Generator().manual_seed(seed)
    for parameter in net.double().parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=draws) / 3)
    return net.eval()


def affine(x, w, name):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def norm(x, w, name, eps=1e-6):
    spread = x - x.mean(-1, keepdim=True)
    scaled = spread / (spread.square().mean(-1, keepdim=True) + eps).sqrt()
    return w[f"{name}.weight"] * scaled + w[f"{name}.bias"]


def squares(x, w, name, side):
    """Each whole square of the map as one pixel; what is left at the edges is not seen."""
    kernel, rows, columns = w[f"{name}0.weight"], x.shape[0] // side, x.shape[1] // side
    made = torch.empty(rows, columns, len(kernel), dtype=x.dtype)
    for r in range(rows):
        for c in range(columns):
            square = x[side * r : side * (r + 1), side * c : side * (c + 1)]
            made[r, c] = torch.einsum("dcyx,yxc->d", kernel, square) + w[f"{name}0.bias"]
    return norm(made, w, f"{name}1.0", 1e-5)


def gathered(query, keys, values):
    """What one pixel's query gathers, head by head of 4 channels."""
    heads = [slice(at, at + 4) for at in range(0, len(query), 4)]
    return torch.cat([(keys[:, h] @ query[h] / 2).softmax(0) @ values[:, h] for h in heads])


def local(x, w, window):
    rows, columns, width = x.shape
    full = x.new_zeros(
        *(-(-size // side) * side for size, side in zip(x.shape[:2], window, strict=True)), width
    )
    full[:rows, :columns] = x
    q, k, v = affine(full, w, "inward").split(width, 2)
    made = torch.empty_like(x)
    for r in range(rows):
        for c in range(columns):
            top, left = (at // side * side for at, side in zip((r, c), window, strict=True))
            near = slice(top, top + window[0]), slice(left, left + window[1])
            made[r, c] = gathered(q[r, c], k[near].flatten(0, 1), v[near].flatten(0, 1))
    return affine(made, w, "outward")


def subsampled(x, w, ratio):
    few = squares(x, w, "few.", ratio) if ratio > 1 else x
    k, v = affine(few, w, "inward").flatten(0, 1).split(x.shape[2], 1)
    asking = affine(x, w, "asking")
    made = torch.stack([torch.stack([gathered(query, k, v) for query in row]) for row in asking])
    return affine(made, w, "outward")


def below(w, begin):
    return {name.removeprefix(begin): value for name, value in w.items() if name.startswith(begin)}


def plain(net, image):
    """Equation 4 of the paper and PEG after each stage's first block, from the weights."""
    w = net.state_dict()
    x = squares(image.permute(1, 2, 0), w, "stem.", 1)
    for stage, (blocks, ratio, window) in enumerate([(2, 3, (3, 3)), (3, 1, (3, 3))]):
        part = below(w, f"stages.{stage}.")
        x = squares(x, part, "merge.", 2) if stage else x
        for k in range(blocks):
            mine = below(part, f"block{k}.0.")
            y, mixing = norm(x, mine, "norm1"), below(mine, "mixing.")
            x = x + (subsampled(y, mixing, ratio) if k % 2 else local(y, mixing, window))
            x = x + affine(F.gelu(affine(norm(x, mine, "norm2"), mine, "feed.0")), mine, "feed.2")
            if k == 0:
                x = x + around(x, part["positions.conv.weight"], part["positions.conv.bias"])
    return affine(norm(x, w, "neck.0.0").mean((0, 1)), w, "head")


def around(x, kernel, bias):
    """Each channel's 3×3 pixels around each place, weighed."""
    full = F.pad(x, (0, 0, 1, 1, 1, 1))
    made = bias.expand(x.shape).clone()
    for r in range(3):
        for c in range(3):
            made += kernel[:, 0, r, c] * full[r : r + x.shape[0], c : c + x.shape[1]]
    return made


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def test_it_is_the_paper_s_network():
    net = shaken(Twins(**WORDS, **SIZES))
    x = drawn(2, 2, 9, 7)
    torch.testing.assert_close(net(x), torch.stack([plain(net, image) for image in x]))


def test_local_attention_stays_in_windows():
    layer = shaken(LocalAttention(8, 2, (3, 2)))
    x = drawn(2, 7, 5, 8)
    expected = torch.stack([local(each, layer.state_dict(), (3, 2)) for each in x])
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_all_pixels_see_a_few(ratio):
    layer = shaken(SubsampledAttention(8, 2, ratio))
    x = drawn(2, 7, 5, 8)
    expected = torch.stack([subsampled(each, layer.state_dict(), ratio) for each in x])
    torch.testing.assert_close(layer(x), expected)


def test_kinds_take_turns_and_windows_are_no_longer_than_a_side():
    with torch.device("meta"):
        net = create("twins_svt_small", input_size=(32, 64))
        blocks = [
            [block[0].mixing for n, block in s.named_children() if n[:5] == "block"] for s in net.stages
        ]
        maps = net.feature_maps(torch.empty(2, 3, 32, 64))
    windows = [[getattr(each, "window", None) for each in stage] for stage in blocks]
    assert windows == [[(7, 7), None], [(7, 7), None], [(7, 7), None] * 5, [(4, 7), None] * 2]
    shapes = [(64, 32, 64), (128, 16, 32), (256, 8, 16), (512, 4, 8)]
    assert [tuple(each.shape[1:]) for each in maps] == shapes


# Published: 24.0, 56.0 and 99.2 million in the paper's table 2 (rounded down), 2.9, 8.6 and 15.1 billion.
@pytest.mark.parametrize(
    ("name", "parameters", "billions"),
    [
        ("twins_svt_small", 24_060_776, 2.9),
        ("twins_svt_base", 56_070_952, 8.6),
        ("twins_svt_large", 99_271_400, 15.1),
    ],
)
def test_sizes_are_the_published_ones(name, parameters, billions):
    with torch.device("meta"):
        net = create(name)
        cost = count_macs(net, torch.empty(1, 3, 224, 224)).total
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert round(cost / 1e9, 1) == billions


def test_dropping_takes_place_in_training_alone():
    net = Twins(**WORDS, **SIZES, drop_path=0.5, dropout=0.2)
    blocks = [
        block[0] for stage in net.stages for name, block in stage.named_children() if name[:5] == "block"
    ]
    assert [block.drop[-1].p for block in blocks] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    x = torch.randn(8, 2, 9, 7)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"layers": (2, 2)}, "as many stages"),
        ({"heads": (3, 4, 8, 16)}, "multiple of heads=3"),
        ({"input_size": (7, 32)}, "stage 1 has a map of 7×32"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        Twins(**words)
