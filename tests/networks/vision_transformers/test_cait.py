import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.vision_transformers import CaiT
from torchatlas.networks.vision_transformers.cait import LayerScale

WORDS = {"num_classes": 5, "in_channels": 2, "input_size": (8, 12), "patch_size": 4}
SIZES = {"width": 8, "depth": 2, "heads": 2}


def shaken(net, seed=0):
    """In double precision, with other weights than a fresh network's."""
    draws = torch.Generator().manual_seed(seed)
    for parameter in net.double().parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=draws) / 3)
    return net.eval()


def affine(x, part, name):
    return x @ part[f"{name}.weight"].T + part[f"{name}.bias"]


def norm(x, part, name):
    spread = x - x.mean(-1, keepdim=True)
    scaled = spread / (spread.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return part[f"{name}.weight"] * scaled + part[f"{name}.bias"]


def talking(x, part):
    """Each pair of tokens by itself: its scores of all heads are mixed, and so are its shares."""
    n, heads = len(x), (slice(0, 4), slice(4, 8))
    q, k, v = affine(x, part, "mixing.0.inward").split(8, 1)
    shares = torch.empty(n, n, 2, dtype=x.dtype)
    for i in range(n):
        for j in range(n):
            scores = torch.stack([q[i, h] @ k[j, h] / 2 for h in heads])
            shares[i, j] = affine(scores, part, "mixing.0.before")
        shares[i] = shares[i].softmax(0)
        for j in range(n):
            shares[i, j] = affine(shares[i, j], part, "mixing.0.after")
    mixed = torch.cat([shares[:, :, number] @ v[:, h] for number, h in enumerate(heads)], 1)
    return affine(mixed, part, "mixing.0.outward")


def asked(x, part):
    """What the first token's one query gathers from all."""
    q, k, v = affine(x[0], part, "mixing.0.q"), affine(x, part, "mixing.0.k"), affine(x, part, "mixing.0.v")
    heads = [(k[:, h] @ q[h] / 2).softmax(0) @ v[:, h] for h in (slice(0, 4), slice(4, 8))]
    return affine(torch.cat(heads), part, "mixing.0.outward")


def fed(x, part):
    y = affine(F.gelu(affine(norm(x, part, "norm2"), part, "feed.0")), part, "feed.2")
    return x + part["feed.3.weight"] * y


def plain(net, image):
    """Figure 2 of the paper from the weights."""
    w = net.state_dict()

    def below(place):
        return {name.removeprefix(place): value for name, value in w.items() if name.startswith(place)}

    cut = [image[:, r : r + 4, c : c + 4].flatten() for r in (0, 4) for c in (0, 4, 8)]
    x = torch.stack(cut) @ w["stem.patches.conv.weight"].flatten(1).T + w["stem.patches.conv.bias"]
    x = x + w["stem.positions"][0]
    for block in range(2):
        part = below(f"stages.0.{block}.")
        x = fed(x + part["mixing.1.weight"] * talking(norm(x, part, "norm1"), part), part)
    token = w["stages.1.first.token"][0, 0]
    for block in range(2):
        part = below(f"stages.1.block{block}.")
        everything = norm(torch.cat((token[None], x)), part, "norm1")
        token = fed(token + part["mixing.1.weight"] * asked(everything, part), part)
    return affine(norm(token, below("neck."), "0"), w, "head")


def test_it_is_the_paper_s_network():
    net = shaken(CaiT(**WORDS, **SIZES))
    x = torch.randn(3, 2, 8, 12, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), torch.stack([plain(net, image) for image in x]))


# Published in table 3, in millions and billions; the last is 9.4 there.
@pytest.mark.parametrize(
    ("name", "parameters", "millions", "billions"),
    [
        ("cait_xxs24", 11_956_264, 12.0, 2.5),
        ("cait_xxs36", 17_299_720, 17.3, 3.8),
        ("cait_xs24", 26_560_648, 26.6, 5.4),
        ("cait_s24", 46_916_200, 46.9, 9.3),
    ],
)
def test_sizes_are_the_published_ones(name, parameters, millions, billions):
    with torch.device("meta"):
        net = create(name)
        cost = count_macs(net, torch.empty(1, 3, 224, 224)).total
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert (round(parameters / 1e6, 1), round(cost / 1e9, 1)) == (millions, billions)


def test_every_branch_starts_small():
    net = create("cait_xxs24", depth=2)
    scales = [module.weight for module in net.modules() if isinstance(module, LayerScale)]
    assert len(scales) == 2 * (2 + 2)
    assert all((scale == 1e-5).all() for scale in scales)


def test_the_patches_do_not_see_the_class_token():
    net = shaken(CaiT(**WORDS, **SIZES))
    x = torch.randn(2, 2, 8, 12, dtype=torch.double)
    patches, both = net.staged(x)
    assert (patches.shape, both.shape) == ((2, 6, 8), (2, 7, 8))
    assert torch.equal(both[:, 1:], patches)


def test_dropping_takes_place_in_training_alone_and_in_the_first_stage():
    net = CaiT(**WORDS, **SIZES, drop_path=0.4, layer_scale=1.0)
    assert [block.drop[-1].p for block in net.stages[0]] == [0.4, 0.4]
    assert [len(block.drop) for name, block in net.stages[1].named_children() if name != "first"] == [0, 0]
    x = torch.randn(8, 2, 8, 12)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


@pytest.mark.parametrize(
    ("words", "said"),
    [({"input_size": (30, 30)}, "do not fill images of 30×30"), ({"heads": 5}, "multiple of heads=5")],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        CaiT(**words)
