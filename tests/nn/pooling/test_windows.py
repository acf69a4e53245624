from itertools import product

import pytest
import torch
from torch.nn.functional import avg_pool2d

from torchatlas.nn.pooling.windows import WindowMeans, pair, window_means, windows


def test_windows_stand_side_by_side():
    x = torch.arange(2 * 3 * 5 * 7.0).reshape(2, 3, 5, 7)
    got = windows(x, (2, 3), (1, 2))
    assert got.shape == (2, 3, 4, 3, 6)
    for i in range(4):
        for j in range(3):
            assert torch.equal(got[:, :, i, j], x[:, :, i : i + 2, 2 * j : 2 * j + 3].flatten(2))
    assert torch.equal(windows(x, 2), windows(x, (2, 2), 2)) and windows(x, 2).shape == (2, 3, 2, 3, 4)


def test_one_number_stands_for_both_sides():
    assert pair(3) == (3, 3) and pair((2, 5)) == (2, 5)


@pytest.mark.parametrize("size", [2, (4, 3)])
@pytest.mark.parametrize("shape", [(6, 6), (5, 7), (8, 12), (1, 2)])
def test_means_of_windows_that_the_border_cuts_are_of_what_is_left(shape, size):
    down, across = (size, size) if isinstance(size, int) else size
    x = torch.randn(2, 3, *shape, dtype=torch.double, requires_grad=True)
    y = window_means(x, size)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            part = x[:, :, i * down : (i + 1) * down, j * across : (j + 1) * across]
            torch.testing.assert_close(y[:, :, i, j], part.mean((2, 3)))
    assert y.shape[2:] == (-(-shape[0] // down), -(-shape[1] // across))
    assert torch.autograd.gradcheck(lambda x: window_means(x, size), x)


def test_means_at_a_stride_with_a_border_are_avg_pool2ds():
    for height, size, stride, border in product(range(3, 9), (2, 3), (1, 2, 3), (0, 1)):
        x = torch.randn(2, 3, height, 7)
        expected = avg_pool2d(x, size, stride, border, ceil_mode=True, count_include_pad=False)
        torch.testing.assert_close(window_means(x, size, stride, border), expected)
    assert torch.equal(WindowMeans(3)(x), window_means(x, 3))
