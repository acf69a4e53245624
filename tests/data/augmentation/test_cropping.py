import math

import numpy as np
import pytest
import torch

from torchatlas.data.augmentation import RandomCrop, RandomResizedCrop
from torchatlas.engine.errors import UsageError


def test_each_image_is_a_window_of_its_zero_padded_self_and_all_windows_come_up():
    torch.manual_seed(0)
    x = torch.randn(1, 2, 5, 6).expand(2000, 2, 5, 6)
    moved = RandomCrop(1)(x).numpy()
    padded = np.pad(x[0].numpy(), ((0, 0), (1, 1), (1, 1)))
    counts = np.zeros((3, 3))
    for image in moved:
        found = [(r, c) for r in range(3) for c in range(3)
                 if np.array_equal(padded[:, r : r + 5, c : c + 6], image)]  # fmt: skip
        assert len(found) == 1
        counts[found[0]] += 1
    assert (abs(counts / 2000 - 1 / 9) < 0.03).all()
    assert torch.equal(RandomCrop(0)(x), x)
    with pytest.raises(UsageError, match="padding"):
        RandomCrop(-1)


def test_a_crop_is_the_stated_window_stretched():
    """On a ramp a crop is a ramp again: its ends tell the window."""
    torch.manual_seed(0)
    size = 40
    place = (torch.arange(size, dtype=torch.double) + 0.5) / size  # 0..1 along an axis
    ramps = torch.stack([place.expand(size, size), place[:, None].expand(size, size)])
    x = ramps.expand(500, 2, size, size)
    layer = RandomResizedCrop((0.2, 0.6), (0.5, 2.0))
    y = layer(x)
    wide = (y[:, 0, 20, 25] - y[:, 0, 20, 15]) * 4  # ten of forty pixels
    high = (y[:, 1, 25, 20] - y[:, 1, 15, 20]) * 4
    area, ratio = wide * high, wide / high
    assert (wide <= 1 + 1e-9).all() and (high <= 1 + 1e-9).all()
    assert area.max() <= 0.6 + 1e-6 and area.min() >= 0.19
    whole = (wide < 1 - 1e-6) & (high < 1 - 1e-6)  # not cut to the image
    assert area[whole].min() >= 0.2 - 1e-6 and ratio.min() >= 0.5 - 1e-6 and ratio.max() <= 2 + 1e-6
    assert area.mean().item() == pytest.approx(0.4, abs=0.03)
    assert ratio.log().mean().item() == pytest.approx(0, abs=0.06)
    assert ratio.log().std().item() == pytest.approx(math.log(4) / math.sqrt(12), abs=0.05)
    left = y[:, 0, 20, 20] - wide / 80 - wide / 2  # pixel 20's middle is 1/80 right of the window's
    assert left.min() >= -1e-6 and (left + wide).max() <= 1 + 1e-6
    free = left / (1 - wide)
    assert free[wide < 0.9].mean().item() == pytest.approx(0.5, abs=0.06)
    assert free[wide < 0.9].std().item() == pytest.approx(1 / math.sqrt(12), abs=0.03)


def test_the_whole_image_stays():
    x = torch.randn(4, 3, 7, 9, dtype=torch.double)
    torch.testing.assert_close(RandomResizedCrop((1.0, 1.0), (1.0, 1.0))(x), x)
    for wrong in ({"area": (0.0, 1.0)}, {"area": (0.5, 0.2)}, {"ratio": (0.0, 1.0)}, {"area": (0.5, 1.5)}):
        with pytest.raises(UsageError):
            RandomResizedCrop(**wrong)
