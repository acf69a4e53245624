import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_params
from torchatlas.networks.convolutional import ZFNet

SMALL = {"num_classes": 5, "in_channels": 2, "widths": (8, 12, 10, 8, 6), "hidden": (9, 7)}


def pool(x: torch.Tensor) -> torch.Tensor:
    """The largest of each 3×3 window, every other pixel; the last window is cut where pixels are left."""
    rows, columns = (-(-(side - 3) // 2) + 1 for side in x.shape[2:])
    windows = [
        [x[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].amax((2, 3)) for j in range(columns)]
        for i in range(rows)
    ]
    return torch.stack([torch.stack(row, 2) for row in windows], 2)


def cells(x: torch.Tensor, k: int) -> torch.Tensor:
    """The largest of each of k × k cells that cover the map."""
    edges = [[(i * side // k, -(-(i + 1) * side // k)) for i in range(k)] for side in x.shape[2:]]
    found = [x[:, :, a:b, c:d].amax((2, 3)) for a, b in edges[0] for c, d in edges[1]]
    return torch.stack(found, 2).flatten(1)


def plain(net: ZFNet, x: torch.Tensor, norm_first: bool, pyramid: tuple[int, ...]) -> torch.Tensor:
    """Figure 3 of the paper from the weights alone."""
    weights = iter(net.state_dict().values())

    def conv(x, stride=1, padding=1):
        return F.conv2d(x, next(weights), next(weights), stride, padding).clamp(min=0)

    def norm(x):
        squares = F.pad(x, (0, 0, 0, 0, 2, 2)) ** 2
        around = sum(squares[:, k : k + x.shape[1]] for k in range(5))
        return x / (2 + 1e-4 * around) ** 0.75

    for stride, padding in ((2, 1), (2, 0)):
        x = conv(x, stride, padding)
        x = pool(norm(x)) if norm_first else norm(pool(x))
    x = conv(conv(conv(x)))
    x = torch.cat([cells(x, k) for k in pyramid], 1) if pyramid else pool(x).flatten(1)
    for _ in range(2):
        x = (x @ next(weights).T + next(weights)).clamp(min=0)
    return x @ next(weights).T + next(weights)


@pytest.mark.parametrize("size", [(47, 47), (64, 81)])
@pytest.mark.parametrize(
    ("name", "norm_first", "pyramid"),
    [("zfnet", False, ()), ("zfnet", True, ()), ("sppnet", False, (6, 3, 2, 1))],
)
def test_it_is_the_paper_s_network(name, norm_first, pyramid, size):
    net = create(name, input_size=size, normalized_first=norm_first, **SMALL).double().eval()
    noise = torch.Generator().manual_seed(0)
    for value in net.state_dict().values():  # biases are not zero after training
        if value.ndim == 1:
            value.copy_(torch.randn(value.shape, generator=noise))
    x = 9 * torch.randn(2, 2, *size, dtype=torch.double, generator=noise)
    torch.testing.assert_close(net(x), plain(net, x, norm_first, pyramid), rtol=1e-9, atol=1e-9)


def test_maps_have_the_pixels_of_the_paper_s_figure_3():
    with torch.device("meta"):
        net = ZFNet(**SMALL)
        x, sides = torch.empty(1, 2, 224, 224), []
        for layer in (net.stem, *net.stages[0], *net.stages[1], net.neck[0]):
            x = layer(x)
            sides.append(x.shape[-1])
    assert sides == [110, 55, 26, 13, 13, 13, 13, 6]


def test_sizes_are_the_known_ones():
    # 62,357,608 and 107,627,624 by the smaller and the larger table of maps
    convolutions = (
        3 * 49 * 96 + 96 * 25 * 256 + 9 * (256 * 384 + 384 * 384 + 384 * 256) + sum((96, 256, 384, 384, 256))
    )
    dense = 4096 * 4096 + 4096 * 1000 + 2 * 4096 + 1000
    with torch.device("meta"):
        assert count_params(create("zfnet")).total == 62_357_608 == convolutions + dense + 256 * 36 * 4096
        assert count_params(create("sppnet")).total == convolutions + dense + 256 * 50 * 4096
        assert count_params(create("zfnet", widths=(96, 256, 512, 1024, 512))).total == 107_627_624


def test_cards_state_the_cost():
    maps = 110**2 * 96 * 147 + 26**2 * 256 * 2400 + 13**2 * 9 * (256 * 384 + 384 * 384 + 384 * 256)
    dense = 4096 * 4096 + 4096 * 1000
    assert catalog()["zfnet"].figures["multiply_adds"] == maps + dense + 256 * 36 * 4096
    assert catalog()["sppnet"].figures["multiply_adds"] == maps + dense + 256 * 50 * 4096


def test_a_pyramid_takes_images_of_any_size_with_the_same_weights():
    net = create("sppnet", **SMALL).eval()
    for size in ((224, 224), (63, 90)):
        assert net(torch.zeros(2, 2, *size)).shape == (2, 5)


@pytest.mark.parametrize(("name", "least"), [("zfnet", 47), ("sppnet", 31)])
def test_images_without_a_map_are_refused(name, least):
    assert create(name, input_size=(least, 50), **SMALL)(torch.zeros(1, 2, least, 50)).shape == (1, 5)
    with pytest.raises(UsageError, match=f"zfnet needs images of at least {least}x{least}.*enlarged"):
        create(name, input_size=(50, least - 1), **SMALL)
