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
