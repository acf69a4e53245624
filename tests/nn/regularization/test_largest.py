import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.regularization import MaxDrop, MaxDropout


def test_the_largest_of_each_map_is_dropped():
    x = torch.randn(3, 4, 2, 5)
    y = MaxDrop(1.0)(x)
    for b in range(3):
        for c in range(4):
            row, expected = x[b, c].flatten().tolist(), x[b, c].flatten().tolist()
            expected[row.index(max(row))] = 0.0
            assert y[b, c].flatten().tolist() == expected


def test_the_largest_channel_of_each_pixel_is_dropped():
    x = torch.randn(3, 4, 2, 5)
    y = MaxDrop(1.0, over="channels")(x)
    for place in [(b, r, c) for b in range(3) for r in range(2) for c in range(5)]:
        b, r, c = place
        row = x[b, :, r, c].tolist()
        expected = [0.0 if k == row.index(max(row)) else value for k, value in enumerate(row)]
        assert y[b, :, r, c].tolist() == expected


def test_it_happens_as_often_as_said():
    torch.manual_seed(0)
    x = torch.rand(500, 4, 3, 3) + 1
    dropped = (MaxDrop(0.3)(x) == 0).flatten(2).sum(2)
    assert dropped.max() == 1 and dropped.float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(MaxDrop(0.3).eval()(x), x) and torch.equal(MaxDrop(0.0)(x), x)
    equal = MaxDrop(1.0)(torch.ones(1, 1, 2, 2))
    assert equal.flatten().tolist() == [0, 1, 1, 1]


def test_what_lies_high_in_the_range_is_dropped():
    x = torch.tensor([[-2.0, 0.0, 3.0], [4.0, 7.0, 8.0]])  # of -2 .. 8, the share 0.3 is above 5
    assert MaxDropout(0.3)(x).tolist() == [[-2, 0, 3], [4, 0, 0]]
    assert MaxDropout(0.4)(x).tolist() == [[-2, 0, 3], [4, 0, 0]]  # at 4 exactly: stays
    assert MaxDropout(1.0)(x).tolist() == [[-2, 0, 0], [0, 0, 0]]
    assert torch.equal(MaxDropout(0.0)(x), x) and torch.equal(MaxDropout(0.3).eval()(x), x)
    assert torch.equal(MaxDropout(0.5)(torch.full((3, 3), 2.0)), torch.full((3, 3), 2.0))


def test_wrong_words():
    for wrong in (lambda: MaxDrop(1.5), lambda: MaxDrop(over="rows"), lambda: MaxDropout(-1)):
        with pytest.raises(UsageError):
            wrong()
    with pytest.raises(UsageError, match="places"):
        MaxDrop()(torch.zeros(2, 3))
