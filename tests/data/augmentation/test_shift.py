import numpy as np
import pytest
import torch

from torchatlas.data.augmentation import RandomFlip, RandomShift
from torchatlas.engine.errors import UsageError


def test_each_image_is_a_window_of_its_padded_self_and_all_windows_come_up():
    torch.manual_seed(0)
    x = torch.randn(1, 2, 5, 6).expand(2000, 2, 5, 6)
    moved = RandomShift(1)(x).numpy()
    padded = np.pad(x[0].numpy(), ((0, 0), (1, 1), (1, 1)), mode="reflect")
    counts = np.zeros((3, 3))
    for image in moved:
        found = [(r, c) for r in range(3) for c in range(3)
                 if np.array_equal(padded[:, r : r + 5, c : c + 6], image)]  # fmt: skip
        assert len(found) == 1
        counts[found[0]] += 1
    assert (abs(counts / 2000 - 1 / 9) < 0.03).all()


def test_images_as_small_as_the_move_are_refused():
    with pytest.raises(UsageError, match="2x9"):
        RandomShift(2)(torch.zeros(1, 1, 2, 9))


def test_half_of_the_images_are_mirrored():
    torch.manual_seed(0)
    x = torch.randn(1000, 1, 3, 4)
    new = RandomFlip()(x)
    mirrored = [bool(torch.equal(a, b.flip(-1))) for a, b in zip(new, x, strict=True)]
    assert all(m or torch.equal(a, b) for m, a, b in zip(mirrored, new, x, strict=True))
    assert abs(sum(mirrored) / 1000 - 0.5) < 0.05
    assert torch.equal(RandomFlip(0.0)(x), x)
