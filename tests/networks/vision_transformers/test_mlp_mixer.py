import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.vision_transformers import MLPMixer


def norm(x, weight, bias):
    spread = x - x.mean(-1, keepdim=True)
    return weight * spread / (spread.square().mean(-1, keepdim=True) + 1e-6).sqrt() + bias


def perceptron(x, weights):
    w1, b1, w2, b2 = weights
    return w2 @ F.gelu(w1 @ x + b1) + b2


def test_it_is_the_paper_s_network():
    net = MLPMixer(5, 2, (8, 12), 4, width=6, depth=2).double()
    draws = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=draws) / 3)
    x = torch.randn(2, 2, 8, 12, dtype=torch.double, generator=draws)
    conv, shift, *weights = net.state_dict().values()
    for image, logits in zip(x, net(x), strict=True):
        cut = [image[:, r : r + 4, c : c + 4].flatten() for r in (0, 4) for c in (0, 4, 8)]
        z = torch.stack(cut) @ conv.flatten(1).T + shift  # 6 patches of 6 channels
        for block in range(2):
            w = weights[12 * block : 12 * block + 12]
            y = norm(z, *w[:2])
            z = z + torch.stack([perceptron(channel, w[2:6]) for channel in y.T]).T
            y = norm(z, *w[6:8])
            z = z + torch.stack([perceptron(patch, w[8:]) for patch in y])
        gain, bias, head, last = weights[24:]
        torch.testing.assert_close(logits, head @ norm(z, gain, bias).mean(0) + last)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mixer_s32", 19_104_624),
        ("mixer_s16", 18_528_264),
        ("mixer_b32", 60_293_428),
        ("mixer_b16", 59_880_472),
        ("mixer_l16", 208_196_168),
    ],
)
def test_sizes_are_the_published_ones(name, parameters):
    with torch.device("meta"):
        assert sum(p.numel() for p in create(name).parameters()) == parameters


def test_middles_follow_the_width():
    mixing, feed = (
        getattr(MLPMixer(3, 1, (8, 8), width=6, depth=1).stages[0], n) for n in ("mixing", "feed")
    )
    assert mixing[0].weight.shape == (3, 4)
    assert feed[0].weight.shape == (24, 6)


def test_patches_that_do_not_fill_the_image_are_refused():
    with pytest.raises(UsageError, match="do not fill"):
        MLPMixer(input_size=(30, 32))
