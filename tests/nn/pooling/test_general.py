from itertools import pairwise

import pytest
import torch

from torchatlas import create

X = torch.randn(2, 3, 4, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1))
WINDOWS = X.reshape(2, 3, 2, 2, 3, 2).permute(0, 1, 2, 4, 3, 5).flatten(4)  # (2, 3, 2, 3, 4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("max_pool", WINDOWS.amax(-1)),
        ("avg_pool", WINDOWS.sum(-1) / 4),
        ("lp_pool", (WINDOWS**2).sum(-1).sqrt()),
    ],
)
def test_each_window_becomes_one_number(name, expected):
    assert torch.allclose(create(name, kernel_size=2)(X), expected)


def test_the_border_of_max_pooling_is_lower_than_any_number():
    assert create("max_pool", kernel_size=2, padding=1)(-X.abs()).max() < 0


def test_global_pooling_takes_any_size():
    assert torch.allclose(create("global_avg_pool")(X), X.sum((2, 3), keepdim=True) / 24)
    assert torch.equal(create("global_max_pool")(X), X.amax((2, 3), keepdim=True))


def test_power_average_is_a_sum():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.double)
    assert create("lp_pool", kernel_size=2)(x).item() == pytest.approx(5.477226, abs=5e-7)
    assert create("lp_pool", kernel_size=2, norm_type=1)(x).item() == pytest.approx(10)
    assert create("lp_pool", kernel_size=2, norm_type=60)(x).item() == pytest.approx(4, rel=1e-6)


@pytest.mark.parametrize("name", ["min_pool"])
def test_the_smallest_number_and_a_border_that_is_larger_than_any(name):
    assert torch.equal(create(name, kernel_size=2)(X), WINDOWS.amin(-1))
    got = create(name, kernel_size=3, stride=2, padding=1)(X.abs())
    for i in range(2):
        for j in range(3):
            window = X.abs()[:, :, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2]
            assert torch.equal(got[:, :, i, j], window.amin((2, 3)))


@pytest.mark.parametrize("name", ["fractional_max_pool"])
def test_random_windows_cover_the_map_and_end_at_its_border(name):
    values = torch.arange(81.0).reshape(1, 1, 9, 9)
    starts = set()
    for seed in range(40):
        torch.manual_seed(seed)
        got = create(name, kernel_size=2, output_ratio=0.6)(values)
        assert got.shape == (1, 1, 5, 5)
        rows, columns = (got[0, 0, :, 0] // 9).tolist(), (got[0, 0, 0] % 9).tolist()
        assert torch.equal(got[0, 0], torch.tensor(rows)[:, None] * 9 + torch.tensor(columns))
        for last in (rows, columns):  # of each window: numbers rise, so the largest stands there
            assert last[0] == 1 and last[-1] == 8
            assert {b - a for a, b in pairwise(last)} <= {1.0, 2.0}
        starts.add((*rows, *columns))
    assert len(starts) > 3
