import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.vision_transformers import LeViT
from torchatlas.networks.vision_transformers.levit import Added, BiasedAttention

WORDS = {"num_classes": 5, "in_channels": 2, "input_size": (11, 17)}
SIZES = {"layers": (1, 2), "widths": (16, 24), "heads": (2, 3), "key_width": 4}


def shaken(net, seed=0):
    """In double precision, with weights and statistics as after training."""
    draws = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=draws) + 0.5)
        elif value.is_floating_point():
            value.add_(torch.randn(value.shape, generator=draws) / 3)
    return net.eval()


def normed(x, w, name):
    mean, variance = w[f"{name}.running_mean"], w[f"{name}.running_var"]
    return w[f"{name}.weight"] * (x - mean) / (variance + 1e-5).sqrt() + w[f"{name}.bias"]


def dense(x, w, name):
    return normed(x @ w[f"{name}.0.weight"].T, w, f"{name}.1")


def hard_swish(x):
    return x * (x + 3).clamp(0, 6) / 6


def attention(x, w, name, heads, key, value, step):
    """Pixel by pixel of a map (rows, columns, d): each that asks sees all, with a bias for the distance."""
    rows, columns, _ = x.shape
    inward, bias = dense(x, w, f"{name}.inward").unflatten(2, (heads, -1)), w[f"{name}.bias"]
    if step > 1:
        asking = dense(x[::step, ::step], w, f"{name}.asking").unflatten(2, (heads, -1))
    else:
        asking, inward = inward[..., :key], inward[..., key:]
    made = torch.empty(*asking.shape[:2], heads, value, dtype=x.dtype)
    for r, c, h in torch.cartesian_prod(*(torch.arange(size) for size in made.shape[:3])).tolist():
        scores = torch.empty(rows, columns, dtype=x.dtype)
        for y in range(rows):
            for z in range(columns):
                far = abs(step * r - y) * columns + abs(step * c - z)
                scores[y, z] = asking[r, c, h] @ inward[y, z, h, :key] / key**0.5 + bias[h, far]
        shares = scores.flatten().softmax(0)
        made[r, c, h] = shares @ inward[:, :, h, key:].flatten(0, 1)
    return dense(hard_swish(made.flatten(2)), w, f"{name}.outward.1")


def fed(x, w, name):
    return x + dense(hard_swish(dense(x, w, f"{name}.part.0")), w, f"{name}.part.2")


def features(net, image):
    """Figures 4 and 5 of the paper from the weights, for two stages of 2 and 3 heads, keys 4 wide."""
    w, x = net.state_dict(), image[None]
    for k, stride in enumerate((1, 1, 2, 2)):
        x = F.conv2d(x, w[f"stem.{k}.0.weight"], stride=stride, padding=1)
        x = normed(x.movedim(1, -1), w, f"stem.{k}.1").movedim(-1, 1)
        x = hard_swish(x) if k < 3 else x
    x = x[0].permute(1, 2, 0)
    x = x + attention(x, w, "stages.0.block0.0.part", 2, 4, 8, 1)
    x = fed(x, w, "stages.0.block0.1")
    x = attention(x, w, "stages.1.shrink", 16 // 4, 4, 16, 2)
    x = fed(x, w, "stages.1.feed")
    for k in range(2):
        x = x + attention(x, w, f"stages.1.block{k}.0.part", 3, 4, 8, 1)
        x = fed(x, w, f"stages.1.block{k}.1")
    return x.mean((0, 1))


def test_it_is_the_paper_s_network():
    net = shaken(LeViT(**WORDS, **SIZES))
    x = torch.randn(2, 2, 11, 17, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    found, w = torch.stack([features(net, image) for image in x]), net.state_dict()
    torch.testing.assert_close(net.forward_features(x), found)
    both = [
        normed(found, w, f"head.{k}.0") @ w[f"head.{k}.1.weight"].T + w[f"head.{k}.1.bias"] for k in (0, 1)
    ]
    torch.testing.assert_close(net(x), (both[0] + both[1]) / 2)
    for got, expected in zip(net.forward_all(x), both, strict=True):
        torch.testing.assert_close(got, expected)


# Published in table 3, both in millions; the paper counts a little differently.
@pytest.mark.parametrize(
    ("name", "parameters", "millions", "cost"),
    [
        ("levit_128s", 7_777_058, 7.8, 305),
        ("levit_128", 9_213_936, 9.2, 406),
        ("levit_192", 10_947_069, 10.9, 658),
        ("levit_256", 18_893_876, 18.9, 1120),
        ("levit_384", 39_128_836, 39.1, 2353),
    ],
)
def test_sizes_are_the_published_ones(name, parameters, millions, cost):
    with torch.device("meta"):
        net = create(name)
        found = count_macs(net, torch.empty(1, 3, 224, 224)).total
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert round(parameters / 1e6, 1) == millions
    assert found / 1e6 == pytest.approx(cost, rel=0.01)


@pytest.mark.parametrize(
    ("size", "counts"),
    [(None, (14 * 14, 7 * 7, 4 * 4)), ((32, 32), (8 * 8, 4 * 4, 2 * 2)), ((8, 28), (2 * 7, 1 * 4, 1 * 2))],
)
def test_the_map_shrinks(size, counts):
    with torch.device("meta"):
        net = create("levit_256", input_size=size)
        tokens = [each.shape for each in net.staged(torch.empty(2, 3, *(size or (224, 224))))]
    assert tokens == [(2, count, width) for count, width in zip(counts, (256, 384, 512), strict=True)]


def test_what_is_added_starts_at_zero_but_shrinking_does_not():
    net = LeViT(**WORDS, **SIZES)
    added = [module.part for module in net.modules() if isinstance(module, Added)]
    ends = [part.outward[1] if isinstance(part, BiasedAttention) else part[2] for part in added]
    assert len(ends) == 2 * 3 + 1
    assert all((end[1].weight == 0).all() for end in ends)
    gains = [m.weight for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert sum((gain == 1).all().item() for gain in gains) == len(gains) - len(ends)


def test_dropping_takes_place_in_training_alone():
    net = LeViT(**WORDS, **SIZES, drop_path=0.4, gain=1.0)
    drops = [module.drop.p for module in net.modules() if isinstance(module, Added)]
    assert drops == [0.4] * 7
    x = torch.randn(8, 2, 11, 17)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"layers": (1, 2)}, "as many stages"),
        ({"widths": (12, 24, 48)}, "multiple of 8"),
        ({"widths": (16, 32, 64)}, "key_width=32"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        LeViT(**words)


def test_other_images_are_refused():
    with pytest.raises(UsageError, match=r"say input_size=\(8, 8\)"):
        LeViT(**WORDS, **SIZES)(torch.zeros(1, 2, 8, 8))
