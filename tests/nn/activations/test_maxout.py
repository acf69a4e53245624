import pytest
import torch

from torchatlas import create


@pytest.mark.parametrize("name", ["maxout"])
def test_each_output_is_the_largest_of_its_maps(name):
    layer, x = create(name, in_features=3, out_features=4, pieces=5).double(), torch.randn(6, 3).double()
    weight, bias = layer.maps.weight.tolist(), layer.maps.bias.tolist()
    got = layer(x).tolist()
    for row, outputs in zip(x.tolist(), got):
        for i, y in enumerate(outputs):
            answers = [sum(w * v for w, v in zip(weight[5 * i + j], row)) + bias[5 * i + j] for j in range(5)]
            assert y == pytest.approx(max(answers), abs=1e-12)


@pytest.mark.parametrize("name", ["maxout"])
def test_against_a_zero_map_it_is_relu(name):
    layer, x = create(name, in_features=3, out_features=2, bias=False), torch.randn(8, 3)
    with torch.no_grad():
        layer.maps.weight[1::2] = 0
    assert torch.allclose(layer(x), (x @ layer.maps.weight[::2].T).relu())
    assert sum(p.numel() for p in layer.parameters()) == 12


@pytest.mark.parametrize("name", ["maxout"])
def test_it_is_convex_and_indifferent_to_the_order_of_its_maps(name):
    layer = create(name, in_features=3, out_features=2, pieces=4)
    x, y = torch.randn(50, 3), torch.randn(50, 3)
    assert (layer((x + y) / 2) <= (layer(x) + layer(y)) / 2 + 1e-6).all()
    before = layer(x)
    with torch.no_grad():
        for p in layer.parameters():
            p[:4] = p[:4].flip(0).clone()
    assert torch.allclose(layer(x), before)


@pytest.mark.parametrize("name", ["maxout_conv"])
def test_each_map_is_the_largest_of_its_convolutions(name):
    layer = create(name, in_channels=2, out_channels=3, kernel_size=2, pieces=3, stride=2, padding=1).double()
    x = torch.randn(2, 2, 4, 5, dtype=torch.double)
    padded = torch.zeros(2, 2, 6, 7, dtype=torch.double)
    padded[:, :, 1:-1, 1:-1] = x
    got = layer(x)
    assert got.shape == (2, 3, 3, 3)
    for n, i, r, s in ((0, 0, 0, 0), (1, 2, 2, 1), (0, 1, 1, 2)):
        window = padded[n, :, 2 * r : 2 * r + 2, 2 * s : 2 * s + 2]
        answers = [
            (layer.maps.weight[3 * i + j] * window).sum().item() + layer.maps.bias[3 * i + j].item()
            for j in range(3)
        ]
        assert got[n, i, r, s].item() == pytest.approx(max(answers), abs=1e-12)
    bare = create(name, in_channels=2, out_channels=3, kernel_size=2, bias=False)
    assert sum(p.numel() for p in bare.parameters()) == 2 * 3 * 2 * 4
