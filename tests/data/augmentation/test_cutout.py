import torch

from torchatlas.data.augmentation import Cutout


def test_one_square_is_hidden_and_the_border_clips_it():
    torch.manual_seed(0)
    x = torch.rand(3000, 2, 8, 10) + 1
    hidden = Cutout(0.5)(x) == 0  # side 4
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    assert torch.equal(Cutout(0.0)(x), x)
    rows, columns = hidden[:, 0].any(2), hidden[:, 0].any(1)
    assert torch.equal(hidden[:, 0], rows[:, :, None] & columns[:, None, :])
    for places, length in ((rows, 8), (columns, 10)):
        assert all((sides == 4).any() and sides.min() >= 2 and sides.max() == 4 for sides in [places.sum(1)])
        # a centre drawn from all places: place 0 is hidden by centres 0..2, the middle one by four of them
        share = places.float().mean(0)
        assert abs(share[0] - 3 / length) < 0.04 and abs(share[length // 2] - 4 / length) < 0.04


def test_what_is_not_hidden_is_left_as_it_is():
    x = torch.rand(20, 1, 9, 9) + 1
    new = Cutout()(x)
    assert torch.equal(new[new != 0], x[new != 0])
