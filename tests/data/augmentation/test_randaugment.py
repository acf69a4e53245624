import math

import numpy as np
import torch
from scipy.ndimage import affine_transform

from torchatlas.data.augmentation import RandAugment
from torchatlas.data.augmentation.randaugment import MOVES

NAMES = list(MOVES)


def forced(x, **strengths):
    """RandAugment with one move for each strength, in this order, instead of what it would draw."""
    model = RandAugment(count=len(strengths))
    wanted = torch.zeros(len(x), len(strengths), len(MOVES), dtype=x.dtype)
    for k, (name, strength) in enumerate(strengths.items()):
        wanted[:, k, NAMES.index(name)] = strength
    model.strengths = lambda _: wanted
    return model(x)


def smooth(size=24):
    place = torch.linspace(-1, 1, size, dtype=torch.double)
    return torch.exp(-8 * ((place[:, None] - 0.1) ** 2 + (place[None] + 0.2) ** 2))[None, None]


def by_scipy(x, matrix, offset):
    """Places in the new image to places in the old one, (row, column), about the middle, in pixels."""
    middle = (np.array(x.shape[2:]) - 1) / 2
    shift = middle + np.array(offset) - np.array(matrix) @ middle
    return affine_transform(x[0, 0].numpy(), np.array(matrix), shift, order=1, mode="nearest")


def test_geometry_is_that_of_an_affine_map():
    x, turn = smooth(), 0.4
    cos, sin = math.cos(turn), math.sin(turn)
    cases = {
        "rotate": (turn, [[cos, sin], [-sin, cos]], (0, 0)),
        "shear_x": (0.3, [[1, 0], [0.3, 1]], (0, 0)),
        "shear_y": (0.3, [[1, 0.3], [0, 1]], (0, 0)),
        "translate_x": (0.25, [[1, 0], [0, 1]], (0, 3)),  # an eighth of 24 pixels
        "translate_y": (0.25, [[1, 0], [0, 1]], (3, 0)),
    }
    for name, (strength, matrix, offset) in cases.items():
        np.testing.assert_allclose(
            forced(x, **{name: strength})[0, 0], by_scipy(x, matrix, offset), atol=1e-6
        )


def test_two_moves_are_one_after_the_other():
    x = smooth()
    both = forced(x, translate_x=0.25, rotate=math.pi / 2)
    torch.testing.assert_close(both, forced(forced(x, translate_x=0.25), rotate=math.pi / 2))


def test_shades():
    x = torch.rand(3, 2, 4, 4, dtype=torch.double)
    means, dark = x.mean((1, 2, 3), keepdim=True), x.amin((1, 2, 3), keepdim=True)
    torch.testing.assert_close(forced(x, contrast=-0.5), 0.5 * x + 0.5 * means)
    torch.testing.assert_close(forced(x, darken=0.25), 0.75 * x + 0.25 * dark)
    torch.testing.assert_close(forced(x, nothing=1.0), x)


def test_each_move_is_as_likely_and_within_its_limit():
    torch.manual_seed(0)
    strengths = RandAugment(2, magnitude=0.5).strengths(torch.zeros(4000, 1, 4, 4))
    limits = 0.5 * torch.tensor(list(MOVES.values()))
    assert strengths.shape == (4000, 2, 8) and ((strengths != 0).sum(2) <= 1).all()
    used = (strengths != 0).float().mean((0, 1))
    assert (used[:-1] - 1 / 8).abs().max() < 0.02 and used[-1] == 0
    assert (strengths.abs().amax((0, 1)) <= limits).all()
    assert (strengths.abs().amax((0, 1)) >= 0.98 * limits).all()
    assert (strengths.amin((0, 1)) <= -0.98 * limits).all()
