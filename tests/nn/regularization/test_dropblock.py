import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.regularization import DropBlock


def squares(dropped, side):
    """Whether all that is dropped is covered by whole squares of dropped pixels, by trying every place."""
    height, width = dropped.shape
    covered = torch.zeros_like(dropped)
    for r in range(height - side + 1):
        for c in range(width - side + 1):
            if dropped[r : r + side, c : c + side].all():
                covered[r : r + side, c : c + side] = True
    return torch.equal(covered, dropped)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_whole_squares_are_dropped_in_each_channel_by_itself(side):
    torch.manual_seed(0)
    y = DropBlock(0.3, side)(torch.ones(40, 2, 7, 9))
    dropped = y == 0
    assert all(squares(image, side) for image in dropped.flatten(0, 1))
    assert not torch.equal(dropped[:, 0], dropped[:, 1])
    assert y.sum().item() == pytest.approx(y.numel(), rel=1e-5)  # what is left is scaled up to the same sum


def test_how_often_a_square_begins():
    """A corner pixel is dropped by one place alone: with the probability gamma."""
    torch.manual_seed(0)
    p, side, height, width = 0.2, 3, 8, 6
    corner = (DropBlock(p, side)(torch.ones(20_000, 1, height, width)) == 0)[:, 0, 0, 0]
    gamma = p / side**2 * height * width / ((height - side + 1) * (width - side + 1))
    assert corner.float().mean().item() == pytest.approx(gamma, abs=0.005)


def test_a_square_as_large_as_the_map_is_spatial_dropout_and_one_pixel_is_dropout():
    torch.manual_seed(0)
    whole = (DropBlock(0.4, 9)(torch.ones(3000, 1, 4, 4)) == 0).flatten(1)
    assert torch.equal(whole.any(1), whole.all(1))
    assert whole.all(1).float().mean().item() == pytest.approx(0.4, abs=0.03)
    pixels = DropBlock(0.4, 1)(torch.ones(300, 1, 10, 10)) == 0
    assert pixels.float().mean().item() == pytest.approx(0.4, abs=0.01)


def test_evaluation_and_wrong_words():
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(DropBlock().eval()(x), x) and torch.equal(DropBlock(0.0)(x), x)
    assert DropBlock(0.99, 5)(torch.ones(1, 1, 5, 5)).isfinite().all()
    with pytest.raises(UsageError):
        DropBlock(1.0)
    with pytest.raises(UsageError, match="1 pixel"):
        DropBlock(size=0)
