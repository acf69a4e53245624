from math import copysign, sqrt

import numpy as np
import pytest
import torch

from torchatlas import create

A = torch.randn(2, 3, 4, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1))
B = torch.randn(2, 6, 4, 5, dtype=torch.double, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", ["bilinear_pool"])
@pytest.mark.parametrize("other", [None, B])
def test_products_of_all_pairs_are_summed_and_their_roots_taken(name, other):
    y = create(name)(A) if other is None else create(name)(A, other)
    first, second = A[1].flatten(1).tolist(), (A if other is None else other)[1].flatten(1).tolist()
    sums = [sum(p * q for p, q in zip(u, v, strict=True)) for u in first for v in second]
    roots = [copysign(sqrt(abs(z)), z) for z in sums]
    length = sqrt(sum(z * z for z in roots))
    assert y[1].tolist() == pytest.approx([z / length for z in roots])
    assert y.norm(dim=1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("name", ["bilinear_pool"])
def test_places_do_not_matter_and_a_map_with_itself_is_symmetric_and_positive(name):
    order = torch.randperm(20, generator=torch.Generator().manual_seed(3))
    shuffled = A.flatten(2)[:, :, order].reshape(A.shape)
    assert torch.allclose(create(name)(A), create(name)(shuffled))
    sums = create(name).pooled(A.flatten(2), A.flatten(2)).reshape(2, 3, 3)
    assert torch.equal(sums, sums.mT) and torch.linalg.eigvalsh(sums).min() >= 0


def sketched(values: list[float], places: list[int], signs: list[float], width: int) -> np.ndarray:
    sketch = np.zeros(width)
    for v, place, sign in zip(values, places, signs, strict=True):
        sketch[place] += sign * v
    return sketch


@pytest.mark.parametrize("name", ["compact_bilinear_pool"])
@pytest.mark.parametrize("width", [8, 7])
def test_the_sketch_is_a_circular_convolution_of_two(name, width):
    pool = create(name, channels=3, other_channels=6, out_features=width).double()
    got = pool.pooled(A.flatten(2), B.flatten(2))[1]
    expected = np.zeros(width)
    for l in range(20):  # noqa: E741
        one = sketched(
            A[1].flatten(1)[:, l].tolist(), pool.first_places.tolist(), pool.first_signs.tolist(), width
        )
        two = sketched(
            B[1].flatten(1)[:, l].tolist(), pool.second_places.tolist(), pool.second_signs.tolist(), width
        )
        for i in range(width):
            expected[i] += sum(one[k] * two[(i - k) % width] for k in range(width))
    assert got.tolist() == pytest.approx(expected.tolist())
    y = pool(A, B)
    roots = np.sign(expected) * np.sqrt(np.abs(expected))
    assert y[1].tolist() == pytest.approx((roots / np.linalg.norm(roots)).tolist(), abs=1e-9)


@pytest.mark.parametrize("name", ["compact_bilinear_pool"])
def test_inner_products_are_those_of_bilinear_pooling_on_average(name):
    x, y = A[0].flatten(1)[None, :, :1], A[1].flatten(1)[None, :, :1]
    found = []
    for seed in range(400):
        torch.manual_seed(seed)
        pool = create(name, channels=3, out_features=64)
        found.append(float((pool.pooled(x, x) * pool.pooled(y, y)).sum()))
    expected = float((x * y).sum()) ** 2
    error = np.std(found) / sqrt(len(found))
    assert np.mean(found) == pytest.approx(expected, abs=4 * error)
    assert error < expected / 5
    assert pool.first_signs.abs().eq(1).all() and not torch.equal(pool.first_places, pool.second_places)
