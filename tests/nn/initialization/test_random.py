from math import sqrt

import pytest
import torch

from torchatlas import catalog, create

NAMES = [c.name for c in catalog().values() if c.page == "nn/initialization/random.py"]


def drawn(name: str, shape: tuple[int, ...] = (300, 200), **options: object) -> torch.Tensor:
    return create(name, **options)(
        torch.zeros(shape, dtype=torch.double), generator=torch.Generator().manual_seed(3)
    )


@pytest.mark.parametrize("name", NAMES)
def test_it_fills_in_place_from_the_given_generator(name):
    weight = torch.zeros(30, 20)
    assert create(name)(weight, generator=torch.Generator().manual_seed(3)) is weight
    again = create(name)(torch.zeros(30, 20), generator=torch.Generator().manual_seed(3))
    other = create(name)(torch.zeros(30, 20), generator=torch.Generator().manual_seed(4))
    assert torch.equal(weight, again) and not torch.equal(weight, other)


@pytest.mark.parametrize(
    ("name", "options", "mean", "std"),
    [
        ("init_normal", {"mean": 1.0, "std": 2.0}, 1, 2),
        ("init_uniform", {"a": -1.0, "b": 5.0}, 2, 6 / sqrt(12)),
        ("init_trunc_normal", {}, 0, 0.8796),
        ("init_xavier", {"gain": 3.0}, 0, 3 * sqrt(2 / (300 + 200))),
        ("init_kaiming", {}, 0, sqrt(2 / 200)),
        ("init_kaiming", {"mode": "fan_out", "a": 1.0}, 0, sqrt(1 / 300)),
    ],
)
def test_moments(name, options, mean, std):
    weight = drawn(name, **options)
    assert weight.mean().item() == pytest.approx(mean, abs=5 * std / sqrt(weight.numel()))
    assert weight.std().item() == pytest.approx(std, rel=0.012)


def test_bounds():
    assert drawn("init_trunc_normal").abs().max() <= 2
    xavier, kaiming = drawn("init_xavier").abs().max(), drawn("init_kaiming").abs().max()
    assert 0.999 * sqrt(6 / 500) < xavier <= sqrt(6 / 500)
    assert 0.999 * sqrt(6 / 200) < kaiming <= sqrt(6 / 200)


def test_a_convolutions_fan_counts_the_kernel():
    bound = sqrt(6 / (8 * 3 * 3))
    assert 0.98 * bound < drawn("init_kaiming", (16, 8, 3, 3)).abs().max() <= bound


def test_orthogonal_rows():
    weight = drawn("init_orthogonal", (20, 50), gain=2.0)
    assert torch.allclose(weight @ weight.T, 4 * torch.eye(20, dtype=torch.double))
