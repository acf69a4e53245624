import torch

from torchatlas.nn.pooling.windows import pair, windows


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
