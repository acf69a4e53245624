import pytest
import torch
import torch.nn.functional as F

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.lightweight import SqueezeNet
from torchatlas.networks.weights import convert

FIRES = (128, 128, 256, 256, 384, 384, 512, 512)  # fire2 to fire9


def test_sizes_are_the_published_ones():
    # the paper's table 1: 1×1 to an eighth, 1×1 and 3×3 to a half each, all with biases
    fires, before = 0, [96, *FIRES[:-1]]
    for seen, width in zip(before, FIRES, strict=True):
        few, half = width // 8, width // 2
        fires += (seen + 1) * few + (few + 1) * half + (9 * few + 1) * half
    whole = (49 * 3 + 1) * 96 + fires + 513 * 1000
    assert catalog()["squeezenet1_0"].figures["parameters"] == whole == 1_248_424
    wider = [(a, b) for a, b in zip(before, FIRES, strict=True) if a != b]
    assert len(wider) == 4
    more = sum((seen + 1) * width for seen, width in wider)
    for name, count in (("simple", whole), ("complex", whole + more)):
        assert catalog()[f"squeezenet1_0_{name}"].figures["parameters"] == count
    smaller = (96 * (49 * 3 + 1) - 64 * (9 * 3 + 1)) + (96 - 64) * 16  # the stem, and what fire2 sees of it
    assert catalog()["squeezenet1_1"].figures["parameters"] == whole - smaller == 1_235_496


def test_version_1_1_costs_2_4_times_less():
    first, second = (catalog()[f"squeezenet1_{k}"].figures["multiply_adds"] for k in (0, 1))
    assert first / second == pytest.approx(2.4, abs=0.06)


def plain(net: SqueezeNet, x: torch.Tensor, stages, kernel: int, bypass: str | None) -> torch.Tensor:
    """The paper's table 1 and figure 2 from the weights alone."""
    weights = dict(net.state_dict())

    def conv(x, name, **words):
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **words)

    x = conv(x, "stem.0", stride=2 if kernel else 1, padding=0 if kernel else 1).clamp(min=0)
    for number, fires in enumerate(stages):
        if kernel or number:  # the last row and column may be seen by a window that juts out
            x = F.pad(x, (0, 1, 0, 1), value=-torch.inf)
            x = x[..., : (x.shape[2] - 1) // 2 * 2 + 1, : (x.shape[3] - 1) // 2 * 2 + 1]
            x = x.unfold(2, 3, 2).unfold(3, 3, 2).amax((4, 5))
        for fire, width in enumerate(fires, 1):
            at = f"stages.{number}.{fire}"
            few = conv(x, f"{at}.squeeze").clamp(min=0)
            made = torch.cat((conv(few, f"{at}.expand1x1"), conv(few, f"{at}.expand3x3", padding=1)), 1)
            around = 0
            if bypass:
                same = x.shape[1] == width
                around = x if same else conv(x, f"{at}.bypass") if bypass == "complex" else 0
            x = made.clamp(min=0) + around
    return conv(x, "head.1.0").clamp(min=0).mean((2, 3))


@pytest.mark.parametrize(("size", "kernel"), [((67, 90), 7), ((68, 75), 3), ((11, 14), 0)])
@pytest.mark.parametrize("bypass", [None, "simple", "complex"])
def test_it_is_the_paper_s_network(size, kernel, bypass):
    torch.manual_seed(0)
    stages = ((16, 16), (16, 24))
    words = {"widths": stages, "stem_width": 8, "stem_kernel": kernel, "bypass": bypass}
    net = SqueezeNet(5, 2, size, **words).double().eval()
    for name, value in net.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(value)
    x = torch.randn(2, 2, *size, dtype=torch.double)
    torch.testing.assert_close(net(x), plain(net, x, stages, kernel, bypass), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", [3, 7])
def test_features_are_the_last_map(kernel):
    for side in (*range(4, 14), 64, 65, 66, 67, 68, 71, 72):
        words = {"widths": ((8,), (8,), (8,)), "stem_width": 4, "stem_kernel": kernel}
        net = SqueezeNet(3, 1, (side, side + 9), **words).eval()
        assert net.forward_features(torch.zeros(1, 1, side, side + 9)).shape == (1, net.features)


def test_every_class_starts_alive():
    torch.manual_seed(0)
    net = SqueezeNet(100, 1, (8, 8), widths=((16,), (16,)), stem_width=8).eval()
    assert (net(torch.randn(20, 1, 8, 8)) > 0.1).all()


def test_torchvision_s_names_lead_to_ours():
    at = {"squeezenet1_0": (3, 4, 5, 7, 8, 9, 10, 12), "squeezenet1_1": (3, 4, 6, 7, 9, 10, 11, 12)}
    for name, places in at.items():
        net = create(name, num_classes=2)
        parts = [
            f"features.{place}.{part}" for place in places for part in ("squeeze", "expand1x1", "expand3x3")
        ]
        names = [
            f"{part}.{kind}" for part in ("features.0", *parts, "classifier.1") for kind in ("weight", "bias")
        ]
        ours = net.state_dict()
        converted = convert(net, dict(zip(names, ours.values(), strict=True)), "torchvision")
        assert list(converted) == list(ours)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"bypass": "dense"}, "simple, complex or None"),
        ({"widths": ((7,),)}, "even"),
        ({"input_size": (3, 3), "widths": ((8,), (8,), (8,))}, "at least 4x4"),
    ],
)
def test_what_does_not_fit_is_refused(words, message):
    with pytest.raises(UsageError, match=message):
        SqueezeNet(**words)
