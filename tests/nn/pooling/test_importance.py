from math import exp, sqrt
from statistics import fmean

import pytest
import torch

from torchatlas import create

X = torch.randn(2, 3, 5, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 2


def weighted(values: list[float], weights: list[float]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


@pytest.mark.parametrize("name", ["soft_pool"])
@pytest.mark.parametrize(("size", "stride"), [((2, 2), None), ((3, 2), (2, 1))])
def test_weights_are_exponentials(name, size, stride):
    y = create(name, kernel_size=size, stride=stride)(X)
    down, across = stride or size
    assert y.shape[2:] == ((5 - size[0]) // down + 1, (6 - size[1]) // across + 1)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            window = (
                X[1, 2, i * down : i * down + size[0], j * across : j * across + size[1]].flatten().tolist()
            )
            assert y[1, 2, i, j].item() == pytest.approx(weighted(window, [exp(v) for v in window]))


@pytest.mark.parametrize("name", ["soft_pool"])
def test_it_lies_between_the_mean_and_the_largest(name):
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.double)
    assert create(name, kernel_size=2)(x).item() == pytest.approx(3.492653, abs=5e-7)
    assert create(name, kernel_size=2)(x * 0 + 7).item() == pytest.approx(7)
    y, low, high = (create(n, kernel_size=2)(X) for n in (name, "avg_pool", "max_pool"))
    assert (low <= y).all() and (y <= high).all()


@pytest.mark.parametrize("name", ["lip"])
def test_it_starts_as_average_pooling_without_the_border(name):
    y = create(name, channels=3).double()(X)
    for i in range(3):
        for j in range(3):
            window = X[:, :, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2]
            assert torch.allclose(y[:, :, i, j], window.mean((2, 3)))


@pytest.mark.parametrize("name", ["lip"])
def test_weights_are_learned(name):
    pool = create(name, channels=3).double()
    taps, scale, shift = (0.5, -1.0, 2.0), (1.5, -0.5, 1.0), (0.2, 0.0, -0.7)
    with torch.no_grad():  # the middle of each kernel alone, one channel each
        for c in range(3):
            pool.conv.weight[c, c, 1, 1] = taps[c]
        pool.norm.weight.copy_(torch.tensor(scale)), pool.norm.bias.copy_(torch.tensor(shift))
    y = pool(X)
    for c in range(3):
        plane = [[taps[c] * v for v in row] for row in X[0, c].tolist()]
        flat = [v for row in plane for v in row]
        mean = fmean(flat)
        root = sqrt(fmean((v - mean) ** 2 for v in flat) + 1e-5)

        def weight(v: float, c: int = c, mean: float = mean, root: float = root) -> float:
            return exp(12 / (1 + exp(-(scale[c] * (v - mean) / root + shift[c]))))

        for i in range(3):
            for j in range(3):
                places = [
                    (u, v)
                    for u in range(max(2 * i - 1, 0), min(2 * i + 2, 5))
                    for v in range(max(2 * j - 1, 0), min(2 * j + 2, 6))
                ]
                values = [X[0, c, u, v].item() for u, v in places]
                weights = [weight(plane[u][v]) for u, v in places]
                assert y[0, c, i, j].item() == pytest.approx(weighted(values, weights), abs=1e-6)
