import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from torchatlas.losses.masks.distance import distance_to, to_other_side


@pytest.mark.parametrize("sides", [(1, 1), (9,), (7, 5), (40, 33), (6, 5, 7)])
def test_it_is_scipy_s_exact_transform(sides):
    for share in (0.02, 0.3, 0.9):
        there = torch.rand(2, 3, *sides, generator=torch.Generator().manual_seed(1)) < share
        there[:, :, *[0] * len(sides)] = True
        got = distance_to(there).flatten(0, 1)
        for ours, mask in zip(got.numpy(), there.flatten(0, 1).numpy(), strict=True):
            np.testing.assert_allclose(ours, distance_transform_edt(~mask), rtol=1e-6)


def test_an_empty_set_is_infinitely_far():
    assert distance_to(torch.zeros(1, 1, 3, 4, dtype=torch.bool)).isinf().all()


def test_the_other_side_of_a_mask():
    mask = torch.zeros(1, 2, 6, 7, dtype=torch.bool)
    mask[0, 0, 1:5, 2:6] = True
    expected = distance_transform_edt(mask[0, 0].numpy()) + distance_transform_edt(~mask[0, 0].numpy())
    np.testing.assert_allclose(to_other_side(mask)[0, 0].numpy(), expected, rtol=1e-6)
    assert not to_other_side(mask)[0, 1].any() and not to_other_side(~mask)[0, 1].any()  # one side alone
