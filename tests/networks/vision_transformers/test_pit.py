import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.vision_transformers import PiT

WORDS = {"num_classes": 5, "in_channels": 2, "input_size": (11, 8), "patch_size": 4}
SIZES = {"layers": (1, 2, 1), "heads": (1, 2, 4), "head_width": 4}


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


def block(x, part):
    """Of ViT: x is the class token's row and the patches' after it; heads are 4 channels wide."""
    width = x.shape[1]
    q, k, v = affine(norm(x, part, "norm1"), part, "mixing.inward").split(width, 1)
    heads = [slice(at, at + 4) for at in range(0, width, 4)]
    mixed = [(q[:, h] @ k[:, h].T / 2).softmax(1) @ v[:, h] for h in heads]
    x = x + affine(torch.cat(mixed, 1), part, "mixing.outward")
    return x + affine(F.gelu(affine(norm(x, part, "norm2"), part, "feed.0")), part, "feed.2")


def pooled(token, patches, part):
    """Each output channel sees 3×3 patches around every second one, in one input channel."""
    kernel, bias = part["pool.conv.weight"], part["pool.conv.bias"]
    wide, (rows, columns, width) = len(bias), patches.shape
    made = bias.expand(-(-rows // 2), -(-columns // 2), wide).clone()
    for y, x, channel in torch.cartesian_prod(*(torch.arange(size) for size in made.shape)).tolist():
        for r in range(max(2 * y - 1, 0), min(2 * y + 2, rows)):
            for c in range(max(2 * x - 1, 0), min(2 * x + 2, columns)):
                weight = kernel[channel, 0, r - 2 * y + 1, c - 2 * x + 1]
                made[y, x, channel] += weight * patches[r, c, channel * width // wide]
    return affine(token, part, "pool.affine"), made


def plain(net, image):
    """Figure 4 of the paper from the weights: the class token goes beside the map of patches."""
    w = net.state_dict()
    kernel = w["stem.conv.weight"].flatten(1)
    cut = [image[:, r : r + 4, c : c + 4].flatten() for r in (0, 2, 4, 6) for c in (0, 2, 4)]
    patches = (torch.stack(cut) @ kernel.T + w["stem.conv.bias"]).view(4, 3, 4)
    patches = patches + w["stem.positions"][0].permute(1, 2, 0)
    token = w["stem.token"][0]
    for stage, blocks in enumerate((1, 2, 1)):
        begin = f"stages.{stage}."
        part = {k.removeprefix(begin): v for k, v in w.items() if k.startswith(begin)}
        if stage:
            token, patches = pooled(token, patches, part)
        x = torch.cat((token, patches.flatten(0, 1)))
        for number in range(blocks):
            begin = f"block{number}."
            x = block(x, {k.removeprefix(begin): v for k, v in part.items() if k.startswith(begin)})
        token, patches = x[:1], x[1:].view(patches.shape)
    return affine(norm(token[0], w, "neck.0"), w, "head")


def test_it_is_the_paper_s_network():
    net = shaken(PiT(**WORDS, **SIZES))
    x = torch.randn(3, 2, 11, 8, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), torch.stack([plain(net, image) for image in x]))


# Published in tables 1 and 2, in millions and billions; the last is 12.5 there.
@pytest.mark.parametrize(
    ("name", "parameters", "millions", "billions"),
    [
        ("pit_ti_224", 4_847_272, 4.8, 0.7),
        ("pit_xs_224", 10_618_888, 10.6, 1.4),
        ("pit_s_224", 23_461_912, 23.5, 2.9),
        ("pit_b_224", 73_764_840, 73.8, 12.4),
    ],
)
def test_sizes_are_the_published_ones(name, parameters, millions, billions):
    with torch.device("meta"):
        net = create(name)
        cost = count_macs(net, torch.empty(1, 3, 224, 224)).total
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert (round(parameters / 1e6, 1), round(cost / 1e9, 1)) == (millions, billions)


@pytest.mark.parametrize(
    ("size", "counts"),
    [(None, (27 * 27, 14 * 14, 7 * 7)), ((32, 32), (15 * 15, 8 * 8, 4 * 4)), ((8, 28), (3 * 13, 2 * 7, 4))],
)
def test_the_map_of_patches_shrinks(size, counts):
    with torch.device("meta"):
        net = create("pit_s_224", input_size=size)
        tokens = [each.shape for each in net.staged(torch.empty(2, 3, *(size or (224, 224))))]
    assert tokens == [(2, 1 + count, width) for count, width in zip(counts, (144, 288, 576), strict=True)]


def test_dropping_takes_place_in_training_alone():
    net = PiT(**WORDS, **SIZES, drop_path=0.4, dropout=0.2)
    blocks = [block for stage in net.stages for name, block in stage.named_children() if name != "pool"]
    assert [block.drop[-1].p for block in blocks] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    x = torch.randn(3, 2, 11, 8)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"input_size": (3, 30)}, "patches of 4×4 do not fit into images of 3×30"),
        ({"patch_size": 1}, "patch_size from 2"),
        ({"layers": (1, 2)}, "as many stages"),
        ({"heads": (2, 3, 6)}, "multiple of the one before"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        PiT(**words)


def test_other_images_are_refused():
    with pytest.raises(UsageError, match=r"say input_size=\(8, 8\)"):
        PiT(**WORDS, **SIZES)(torch.zeros(1, 2, 8, 8))
