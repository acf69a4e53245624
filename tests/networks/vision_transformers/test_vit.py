import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.vision_transformers import VisionTransformer

SMALL = {"num_classes": 5, "in_channels": 2, "input_size": (8, 12), "patch_size": 4}
SIZES = {"width": 8, "depth": 2, "heads": 2}


def shaken(net, seed=0):
    """In double precision, with other weights than a fresh network's."""
    draws = torch.Generator().manual_seed(seed)
    for parameter in net.double().parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=draws) / 3)
    return net.eval()


def waves(rows, columns, width):
    """Positions in two dimensions by their definition: the column's waves, then the row's."""
    table = torch.zeros(rows * columns, width, dtype=torch.double)
    for n in range(rows * columns):
        for half, place in enumerate((n % columns, n // columns)):
            for i in range(width // 4):
                angle = torch.tensor(place / 10_000 ** (4 * i / width), dtype=torch.double)
                table[n, half * width // 2 + 2 * i] = angle.sin()
                table[n, half * width // 2 + 2 * i + 1] = angle.cos()
    return table


def norm(x, weight, bias):
    spread = x - x.mean(-1, keepdim=True)
    return weight * spread / (spread.square().mean(-1, keepdim=True) + 1e-6).sqrt() + bias


def tokens(net, x, firsts, fixed):
    """The paper's equations 1 to 4 from the weights, one image and one head after another."""
    w = net.state_dict()
    found = []
    for image in x:
        cut = [image[:, r : r + 4, c : c + 4].flatten() for r in (0, 4) for c in (0, 4, 8)]
        patches = torch.stack(cut) @ w["stem.patches.conv.weight"].flatten(1).T + w["stem.patches.conv.bias"]
        first = [w[f"stem.tokens.{k}"][0] for k in range(firsts)]
        z = torch.cat([*first, patches]) + (waves(2, 3, 8) if fixed else w["stem.positions"][0])
        for block in range(2):
            part = {k.removeprefix(f"stages.{block}."): v for k, v in w.items()}
            y = norm(z, part["norm1.weight"], part["norm1.bias"])
            qkv = y @ part["mixing.inward.weight"].T + part["mixing.inward.bias"]
            heads = []
            for h in (0, 4):
                q, k, v = qkv[:, h : h + 4], qkv[:, 8 + h : 12 + h], qkv[:, 16 + h : 20 + h]
                heads.append((q @ k.T / 2).softmax(1) @ v)
            z = z + torch.cat(heads, 1) @ part["mixing.outward.weight"].T + part["mixing.outward.bias"]
            y = norm(z, part["norm2.weight"], part["norm2.bias"])
            y = F.gelu(y @ part["feed.0.weight"].T + part["feed.0.bias"])
            z = z + y @ part["feed.2.weight"].T + part["feed.2.bias"]
        found.append(norm(z, w["neck.0.weight"], w["neck.0.bias"]))
    return torch.stack(found)


@pytest.fixture
def x():
    return torch.randn(3, 2, 8, 12, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def near(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


def test_vit_is_the_paper_s_network(x):
    net = shaken(VisionTransformer(**SMALL, **SIZES))
    near(net(x), tokens(net, x, 1, fixed=False)[:, 0] @ net.head.weight.T + net.head.bias)


def test_simple_vit_takes_the_mean_and_knows_places_by_waves(x):
    net = shaken(VisionTransformer(**SMALL, **SIZES, pool="mean", positions="sinusoidal"))
    near(net(x), tokens(net, x, 0, fixed=True).mean(1) @ net.head.weight.T + net.head.bias)


def test_deit_s_answer_is_the_mean_of_two_heads(x):
    net = shaken(VisionTransformer(**SMALL, **SIZES, tokens=2))
    z = tokens(net, x, 2, fixed=False)
    both = [z[:, k] @ head.weight.T + head.bias for k, head in enumerate(net.head)]
    near(net(x), (both[0] + both[1]) / 2)
    for got, expected in zip(net.forward_all(x), both, strict=True):
        near(got, expected)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vit_tiny_patch16_224", 5_717_416),
        ("vit_small_patch16_224", 22_050_664),
        ("vit_base_patch16_224", 86_567_656),
        ("simple_vit", 21_974_632),
        ("deit_tiny_distilled", 5_910_800),
        ("deit_small_distilled", 22_436_432),
        ("deit_base_distilled", 87_338_192),
    ],
)
def test_sizes_are_the_published_ones(name, parameters):
    with torch.device("meta"):
        assert sum(p.numel() for p in create(name).parameters()) == parameters


def test_small_images_have_small_patches_and_a_head_can_be_another():
    with torch.device("meta"):
        net = create("vit_tiny_patch16_224", input_size=(32, 32), depth=1)
        assert net.stem(torch.empty(2, 3, 32, 32)).shape == (2, 65, 192)
        assert net.reset_head(7)(torch.empty(2, 3, 32, 32)).shape == (2, 7)
        assert net.reset_head(0)(torch.empty(2, 3, 32, 32)).shape == (2, 192)


def test_dropping_takes_place_in_training_alone():
    net = VisionTransformer(**SMALL, **SIZES, drop_path=0.4, dropout=0.2)
    assert [block.drop[-1].p for block in net.stages] == pytest.approx([0.2, 0.4])
    x = torch.randn(3, 2, 8, 12)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"input_size": (30, 30)}, "patches of 4×4 do not fill images of 30×30"),
        ({"heads": 5}, "multiple of heads=5"),
        ({"pool": "max"}, "token or mean"),
        ({"positions": "none"}, "learned or sinusoidal"),
        ({"positions": "sinusoidal"}, "pool=mean"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        VisionTransformer(**words)


def test_other_images_are_refused():
    with pytest.raises(UsageError, match=r"say input_size=\(8, 8\)"):
        VisionTransformer(**SMALL, **SIZES)(torch.zeros(1, 2, 8, 8))
