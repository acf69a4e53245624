import colorsys
import math

import numpy as np
import pytest
import torch

from torchatlas.data.augmentation import ColorJitter
from torchatlas.data.augmentation.color import grey, turned
from torchatlas.engine.errors import UsageError

WEIGHTS = np.array([0.299, 0.587, 0.114])


def images(channels=3):
    torch.manual_seed(0)
    return torch.rand(5, channels, 4, 3, dtype=torch.double)


def factors(**amount):
    """The factor of each image, drawn as the layer does."""
    torch.manual_seed(1)
    draws = [torch.rand(5, 1, 1, 1, dtype=torch.double).flatten() for _ in range(3)]
    k = {"brightness": 0, "contrast": 1, "saturation": 2}[next(iter(amount))]
    torch.manual_seed(1)
    return (1 + next(iter(amount.values())) * (2 * draws[k] - 1)).tolist()


def only(x, **amount):
    torch.manual_seed(1)
    return ColorJitter(**{"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0} | amount)(
        x
    ).numpy()


def test_brightness_contrast_and_saturation_move_from_their_middles():
    x = images()
    for b in range(5):
        image = x[b].numpy()
        look = np.tensordot(WEIGHTS, image, 1)
        for name, middle in (
            ("brightness", image.min()),
            ("contrast", look.mean()),
            ("saturation", look[None]),
        ):
            f = factors(**{name: 0.6})[b]
            np.testing.assert_allclose(only(x, **{name: 0.6})[b], middle + f * (image - middle), atol=1e-12)


def test_hue_keeps_grey_the_mean_and_the_distance_from_it():
    x, y = images(), only(images(), hue=0.5)
    means = x.mean(1).numpy()
    np.testing.assert_allclose(y.mean(1), means, atol=1e-12)
    before = np.linalg.norm(x.numpy() - means[:, None], axis=1)
    np.testing.assert_allclose(np.linalg.norm(y - means[:, None], axis=1), before, atol=1e-12)
    same = torch.full((2, 3, 2, 2), 0.3, dtype=torch.double)
    np.testing.assert_allclose(only(same, hue=0.5), same, atol=1e-12)


@pytest.mark.parametrize("third", [1, 2])
def test_a_third_of_a_circle_turns_red_to_green_and_so_on(third):
    colours = torch.rand(6, 3, dtype=torch.double)
    moved = colours @ turned(torch.tensor([2 * math.pi * third / 3], dtype=torch.double))[0].T
    for old, new in zip(colours.tolist(), moved.tolist(), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*old)
        assert new == pytest.approx(colorsys.hsv_to_rgb((h + third / 3) % 1, s, v), abs=1e-9)


def test_amounts_of_nothing_change_nothing_and_amounts_are_as_said():
    x = images()
    np.testing.assert_allclose(only(x), x, atol=1e-12)
    torch.manual_seed(0)
    bright = ColorJitter(0.3, 0, 0, 0)(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(4000, 1, 1, 2))[
        ..., 1
    ]
    assert bright.min() >= 0.7 - 1e-6 and bright.max() <= 1.3 + 1e-6
    assert bright.std().item() == pytest.approx(0.6 / math.sqrt(12), rel=0.05)
    assert torch.equal(grey(images(2))[:, 0], images(2).mean(1))


def test_other_than_three_channels_keep_their_colours():
    x = images(4)
    np.testing.assert_allclose(only(x, saturation=0.5, hue=0.5), x, atol=1e-12)
    for wrong in ({"brightness": -0.1}, {"hue": 0.6}):
        with pytest.raises(UsageError):
            ColorJitter(**wrong)
