import math

import pytest
import torch
from torch.nn import functional as F

from networks.filling import filled
from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import NFNet
from torchatlas.networks.convolutional.nfnet import NFBlock, ScaledConv2d, unit_gain

LAYERS, WIDTHS, GROUP = (1, 3, 2), (8, 16, 24), 4
SMALL = {"layers": LAYERS, "widths": WIDTHS, "group_width": GROUP, "stem_widths": (2, 3, 4)}


def plain(net, x, alpha, eps, small):
    """The network in the order of its weights, in evaluation mode."""
    weights = {name: value for name, value in net.state_dict().items()}

    def phi(x):
        return 1.7015043497085571 * x * (1 + torch.erf(x / math.sqrt(2))) / 2

    def conv(name, x, stride=1, groups=1):
        kernel, bias, gain = (weights[f"{name}.{word}"] for word in ("weight", "bias", "gain"))
        rows = kernel.flatten(1)
        rows = (rows - rows.mean(1, keepdim=True)) / (rows.var(1, correction=0, keepdim=True) + eps).sqrt()
        kernel = gain * rows.view_as(kernel) / math.sqrt(rows.shape[1])
        side = kernel.shape[-1]
        for dim in (3, 2):  # the border of the smallest even share, more of it behind
            size = x.shape[dim]
            total = max((math.ceil(size / stride) - 1) * stride + side - size, 0)
            border = [0, 0] * (3 - dim) + [total // 2, total - total // 2]
            x = F.pad(x, border)
        return F.conv2d(x, kernel, bias, stride, groups=groups)

    def mean_of_four(x):
        ones = torch.ones_like(x)
        x, ones = (F.pad(each, (0, x.shape[3] % 2, 0, x.shape[2] % 2)) for each in (x, ones))
        x, ones = (F.avg_pool2d(each, 2) for each in (x, ones))
        return x / ones

    def gate(name, x):
        hidden = x.mean((2, 3)) @ weights[f"{name}.0.weight"][:, :, 0, 0].T + weights[f"{name}.0.bias"]
        scores = hidden.clamp(min=0) @ weights[f"{name}.2.weight"][:, :, 0, 0].T + weights[f"{name}.2.bias"]
        return x * scores.sigmoid()[:, :, None, None]

    half = 1 if small else 2
    x = conv("stem.0", x, half)
    for number, stride in ((2, 1), (4, 1), (6, half)):
        x = conv(f"stem.{number}", phi(x), stride)
    before = 1.0  # the variance at the end of the stage before
    for stage, blocks in enumerate(LAYERS):
        for k in range(blocks):
            name, stride = f"stages.{stage}.{k}", 2 if stage and k == 0 else 1
            unit = phi(x) / math.sqrt(1 + k * alpha**2 if k else before)
            y = conv(f"{name}.body.0", unit)
            groups = WIDTHS[stage] // 2 // GROUP
            y = conv(f"{name}.body.2", phi(y), stride, groups)
            y = conv(f"{name}.body.4", phi(y), 1, groups)
            y = 2 * gate(f"{name}.body.7.excite", conv(f"{name}.body.6", phi(y)))
            if k == 0:
                x = conv(f"{name}.shortcut.1", mean_of_four(unit) if stride == 2 else unit)
            x = x + alpha * weights[f"{name}.gain"] * y
        before = 1 + blocks * alpha**2
    features = phi(conv("neck.0", x)).mean((2, 3))
    return features @ weights["head.weight"].T + weights["head.bias"]


@pytest.mark.parametrize(
    ("size", "alpha", "eps"), [((66, 71), 0.2, 1e-5), ((32, 32), 0.2, 0.0), ((9, 14), 0.9, 0.0)]
)
def test_it_is_the_paper_s_network(size, alpha, eps):
    net = NFNet(5, 2, size, **SMALL, alpha=alpha, eps=eps).double().eval()
    net.load_state_dict(filled({name: value.shape for name, value in net.state_dict().items()}))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), plain(net, x, alpha, eps, min(size) <= 64), rtol=1e-9, atol=1e-9)


# Table 1 of the paper: 71.5 million and 12.38 billion for F0 at 256 pixels, 132.6 and 35.54 for F1 at 320.
@pytest.mark.parametrize(
    ("name", "size", "millions", "billions"),
    [("nfnet_f0", 256, 71.5, 12.38), ("nfnet_f1", 320, 132.6, 35.54)],
)
def test_sizes_are_the_published_ones(name, size, millions, billions):
    with torch.device("meta"):
        net = create(name)
        cost = count_macs(net, torch.empty(1, 3, size, size)).total
    assert round(cost / 1e9, 2) == billions
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == millions


def test_the_variance_is_as_counted():
    """Of the maps between blocks as they start; the means of 2×2 pixels of a later stage are not counted."""
    torch.manual_seed(0)
    net = NFNet(2, 8, (16, 16), (4, 3), (256, 256), (32, 64, 64), 64, skip_gain=1.0).eval()
    x, ratios = torch.randn(8, 8, 16, 16), []
    with torch.no_grad():
        x = net.stem(x)
        for block in net.stages[0]:
            ratios.append(x.var((0, 2, 3)).mean().item() / block.beta**2)
            x = block(x)
    assert [block.beta**2 for block in net.stages[0]] == pytest.approx([1, 1.04, 1.08, 1.12])
    assert [block.beta**2 for block in net.stages[1]] == pytest.approx([1.16, 1.04, 1.08])
    assert min(ratios) > 0.7 and max(ratios) < 1.05 * min(ratios)  # the border is of zeros


def test_kernels_have_mean_zero_and_unit_length():
    conv = ScaledConv2d(6, 4, 3, groups=2)
    rows = conv.kernel().flatten(1)
    torch.testing.assert_close(rows.mean(1), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(rows.square().sum(1), torch.ones(4))
    with torch.no_grad():
        conv.weight.fill_(3.0)
    assert conv.kernel().eq(0).all()


def test_activations_are_scaled_to_unit_variance():
    assert unit_gain("relu") == pytest.approx(math.sqrt(2 / (1 - 1 / math.pi)), rel=1e-6)
    assert unit_gain("silu") == pytest.approx(1.78719, rel=1e-5)
    assert unit_gain("gelu") == pytest.approx(1.7015, rel=1e-3)
    with torch.device("meta"):
        assert unit_gain("prelu") == pytest.approx(1.64, rel=0.1)


def test_a_block_begins_as_its_shortcut():
    block, x = NFBlock(8, 8, 1, 4, 1.0, project=False), torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), x)


def test_small_images_keep_their_size_at_first():
    with torch.device("meta"):
        net, x = NFNet(input_size=(32, 32), layers=(1, 1, 1, 1)), torch.empty(2, 3, 32, 32)
        assert [maps.shape[-1] for maps in net.feature_maps(x)] == [32, 16, 8, 4]
        maps = NFNet(layers=(1, 1, 1, 1)).feature_maps(torch.empty(2, 3, 224, 224))
    assert [each.shape[-1] for each in maps] == [56, 28, 14, 7]


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="each stage"):
        NFNet(layers=(1, 2))
    for width in (300, 128, 0):
        with pytest.raises(UsageError, match=f"multiples of 256.*not {width}"):
            NFNet(widths=(256, 512, 1536, width))
