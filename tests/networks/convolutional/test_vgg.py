import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_params
from torchatlas.networks.convolutional import VGG
from torchatlas.networks.weights import load_weights

# Convolutions of each block, in the paper's table 1: columns A, B, D and E.
BLOCKS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
# Table 2 tells 133, 133, 138 and 144 million.
COUNTS = {"vgg11": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg19": 143_667_240}
NORMED = {"vgg11": 132_868_840, "vgg13": 133_053_736, "vgg16": 138_365_992, "vgg19": 143_678_248}
MILLIONS = {"vgg11": 133, "vgg13": 133, "vgg16": 138, "vgg19": 144}
LAYERS, WIDTHS = (1, 2, 2), (4, 6, 8)


def shaken(net: nn.Module) -> nn.Module:
    """In double precision, with biases, and statistics of batch norm, as after training."""
    numbers = torch.Generator().manual_seed(0)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


def plain(state: dict[str, torch.Tensor], x: torch.Tensor, batch_norm: bool, grid: int = 0) -> torch.Tensor:
    """Blocks of convolutions and dense layers from weights in their order."""
    weights = iter(state.values())
    for convolutions in LAYERS:
        for _ in range(convolutions):
            x = F.conv2d(x, next(weights), next(weights), padding=1)
            if batch_norm:
                gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
                gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
                x = gain * (x - mean) / (variance + 1e-5).sqrt() + shift
            x = x.clamp(min=0)
        step = min(x.shape[2], 2), min(x.shape[3], 2)
        x = F.max_pool2d(x, step, step)
    x = (F.adaptive_avg_pool2d(x, grid) if grid else x).flatten(1)
    x = (x @ next(weights).T + next(weights)).clamp(min=0)
    x = (x @ next(weights).T + next(weights)).clamp(min=0)
    return x @ next(weights).T + next(weights)


@pytest.mark.parametrize("size", [(72, 66), (17, 30), (7, 4), (2, 1)])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("grid", [0, 3])
def test_it_is_the_paper_s_network(size, batch_norm, grid):
    net = VGG(5, 2, size, LAYERS, WIDTHS, batch_norm, (9, 7), (grid, grid) if grid else None)
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    shaken(net)
    torch.testing.assert_close(net(x), plain(net.state_dict(), x, batch_norm, grid), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", BLOCKS)
def test_sizes_and_costs_are_the_published_ones(name):
    parameters, products, width, pixels = 0, 0, 3, 224**2
    for convolutions, channels in zip(BLOCKS[name], (64, 128, 256, 512, 512), strict=True):
        for _ in range(convolutions):
            parameters += 9 * width * channels + channels
            products += 9 * width * channels * pixels
            width = channels
        pixels //= 4
    dense = 512 * 49 * 4096 + 4096 * 4096 + 4096 * 1000
    assert parameters + dense + 4096 + 4096 + 1000 == COUNTS[name]
    assert round(COUNTS[name] / 1e6) == MILLIONS[name]
    for variant, count in ((name, COUNTS[name]), (f"{name}_bn", NORMED[name])):
        with torch.device("meta"):
            net = create(variant)
        assert count_params(net).total == count
        assert catalog()[variant].figures == {"parameters": count, "multiply_adds": products + dense}
        assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == int(name[3:])


def test_stages_end_before_the_pooling():
    net = VGG(5, 1, (64, 96), (1, 1, 2, 2, 2), (2, 3, 4, 5, 6), hidden=(7,))
    shapes = [(2, 64, 96), (3, 32, 48), (4, 16, 24), (5, 8, 12), (6, 4, 6)]
    assert [tuple(m.shape[1:]) for m in net.feature_maps(torch.zeros(1, 1, 64, 96))] == shapes


@pytest.mark.parametrize(("size", "pixels"), [((32, 32), 1), ((28, 28), 1), ((8, 8), 1), ((64, 64), 4)])
def test_small_images_end_in_one_hidden_layer(size, pixels):
    with torch.device("meta"):
        net = create("vgg16_bn", num_classes=10, input_size=size)
        assert net(torch.empty(2, 3, *size)).shape == (2, 10)
    dense = [(m.in_features, m.out_features) for m in net.modules() if isinstance(m, nn.Linear)]
    assert dense == [(512 * pixels, 512), (512, 10)]


def test_large_images_make_more_features_or_a_mean_over_a_grid():
    with torch.device("meta"):
        assert VGG(input_size=(256, 320)).neck[3][0].in_features == 512 * 8 * 10
        net = VGG(input_size=(256, 320), grid=(7, 7))
        assert net.neck[3][0].in_features == 512 * 49 and net(torch.empty(1, 3, 300, 70)).shape == (1, 1000)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_weights_with_torchvision_s_and_pytorchcv_s_names_fit(batch_norm):
    layers: list[nn.Module] = []
    nested, width = nn.Module(), 3
    nested.features, nested.output = nn.Module(), nn.Module()
    for block, (count, channels) in enumerate(zip(LAYERS, WIDTHS, strict=True), 1):
        stage = nn.Module()
        for k in range(1, count + 1):
            conv, norm = nn.Conv2d(width, channels, 3), [nn.BatchNorm2d(channels)] if batch_norm else []
            layers += [conv, *norm, nn.ReLU()]
            unit, width = nn.Module(), channels
            unit.conv = conv
            if norm:
                unit.bn = norm[0]
            stage.add_module(f"unit{k}", unit)
        layers.append(nn.MaxPool2d(2))
        nested.features.add_module(f"stage{block}", stage)
    dense = [nn.Linear(width, 9), nn.Linear(9, 7), nn.Linear(7, 5)]
    flat = nn.Module()
    flat.features = nn.Sequential(*layers)
    flat.classifier = nn.Sequential(
        dense[0], nn.ReLU(), nn.Dropout(), dense[1], nn.ReLU(), nn.Dropout(), dense[2]
    )
    nested.output.fc1, nested.output.fc2, nested.output.fc3 = nn.Module(), nn.Module(), dense[2]
    nested.output.fc1.fc, nested.output.fc2.fc = dense[0], dense[1]
    x = torch.randn(2, 3, 8, 8, dtype=torch.double)
    for library, peer in (("torchvision", flat), ("pytorchcv", nested)):
        state = shaken(peer).state_dict()
        net = load_weights(VGG(5, 3, (8, 8), LAYERS, WIDTHS, batch_norm, (9, 7)), state, library)
        torch.testing.assert_close(net.double().eval()(x), plain(state, x, batch_norm), rtol=1e-5, atol=1e-5)


def test_hidden_layers_drop_half_of_what_they_give():
    net = VGG(5, 1, (8, 8), (1,), (4,), hidden=(9, 9), dropout=1.0).train()
    nn.init.ones_(net.neck[4][0].bias)
    assert not net.forward_features(torch.randn(2, 1, 8, 8)).any()
    rates = [m.p for m in VGG(5, 1, (8, 8), (1,), (4,), hidden=(9, 9)).modules() if isinstance(m, nn.Dropout)]
    assert rates == [0.5, 0.5]


def test_blocks_without_a_width_are_refused():
    with pytest.raises(UsageError, match="one number for each block"):
        VGG(layers=(1, 2, 3))
