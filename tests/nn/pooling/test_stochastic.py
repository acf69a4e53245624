from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from torchatlas import create
from torchatlas.engine.errors import UsageError

X = torch.randn(2, 3, 4, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["stochastic_pool"])
def test_evaluation_takes_the_expectation(name):
    pool = create(name, kernel_size=2).eval()
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert pool(x).item() == pytest.approx(3.0)
    y = pool(X)
    for i in range(2):
        for j in range(3):
            window = [max(v, 0.0) for v in X[1, 2, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten().tolist()]
            expected = sum(v * v for v in window) / sum(window) if any(window) else 0.0
            assert y[1, 2, i, j].item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["stochastic_pool"])
def test_training_draws_each_number_as_often_as_it_is_large(name):
    x = torch.tensor([[1.0, 0.0], [3.0, 4.0]]).repeat(1, 1, 1, 20_000)
    y = create(name, kernel_size=2)(x)
    shares = {v: (y == v).double().mean().item() for v in (0.0, 1.0, 3.0, 4.0)}
    assert shares[0.0] == 0 and sum(shares.values()) == pytest.approx(1)
    for v in (1.0, 3.0, 4.0):
        assert shares[v] == pytest.approx(v / 8, abs=5 * (v / 8 * (1 - v / 8) / 20_000) ** 0.5)


@pytest.mark.parametrize("name", ["stochastic_pool"])
def test_a_window_without_anything_gives_zero(name):
    x = torch.tensor([[[[0.0, -1.0], [-2.0, 0.0]]]], requires_grad=True)
    for training in (True, False):
        y = create(name, kernel_size=2).train(training)(x)
        y.sum().backward()
        assert y.item() == 0 and x.grad.isfinite().all()


@pytest.mark.parametrize("name", ["stochastic_pool"])
def test_the_gradient_goes_to_the_number_that_was_drawn(name):
    x = X.abs().requires_grad_()
    y = create(name, kernel_size=2)(x)
    y.sum().backward()
    assert x.grad.sum().item() == y.numel() and set(x.grad.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(F.max_pool2d(x.detach() * x.grad, 2), y)


def largest(x: torch.Tensor, size: int) -> torch.Tensor:
    """The largest number of the window that begins at each place, as far as the map goes."""
    y = torch.empty_like(x)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            y[:, :, i, j] = x[:, :, i : i + size, j : j + size].amax((2, 3))
    return y


@pytest.mark.parametrize("name", ["s3_pool"])
@pytest.mark.parametrize("size", [2, 3])
def test_evaluation_averages_the_largest_numbers(name, size):
    x = torch.randn(2, 3, 7, 9, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    y = create(name, kernel_size=size).eval()(x)
    assert y.shape[2:] == (7 // size, 9 // size)
    plane = largest(x, size)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            window = plane[:, :, size * i : size * (i + 1), size * j : size * (j + 1)]
            assert torch.allclose(y[:, :, i, j], window.mean((2, 3)))


@pytest.mark.parametrize("name", ["s3_pool"])
@pytest.mark.parametrize(("shape", "grid"), [((8, 12), 2), ((8, 12), 4), ((9, 13), 4), ((5, 7), 2)])
def test_training_draws_rows_and_columns_of_each_grid(name, shape, grid):
    place = torch.arange(shape[0])[:, None] * 100.0 + torch.arange(shape[1])
    pool, seen = create(name, kernel_size=2, grid=grid), set()
    for _ in range(30):
        y = pool(place.expand(2, 3, *shape))
        assert torch.equal(y, y[:1, :1].expand_as(y))  # one draw for a whole batch
        flat = y[0, 0]
        rows, columns = (flat[:, 0] // 100).long().tolist(), (flat[0] % 100).long().tolist()
        assert torch.equal(flat, torch.tensor(rows)[:, None] * 100.0 + torch.tensor(columns))
        for found, length in ((rows, shape[0]), (columns, shape[1])):
            # A window's largest number lies one place on, but at the border, where the last two agree.
            cells = length // grid
            assert len(found) == cells * grid // 2 == length // 2
            assert all(a <= b for a, b in pairwise(found))
            for cell in range(cells):
                end = length if cell == cells - 1 else grid * (cell + 1)
                kept = found[cell * grid // 2 : (cell + 1) * grid // 2]
                assert all(grid * cell + 1 <= at <= end for at in kept)
        seen.add((*rows, *columns))
    assert len(seen) > 5


@pytest.mark.parametrize("name", ["s3_pool"])
def test_the_draw_is_even(name):
    place = torch.arange(6.0).expand(1, 1, 6, 6)
    found = torch.cat([create(name, kernel_size=2)(place)[0, 0, 0, :2] for _ in range(500)])
    counts = torch.bincount(found.long(), minlength=5)
    assert counts[1:].tolist() == pytest.approx([250] * 4, abs=5 * 11)


@pytest.mark.parametrize("name", ["s3_pool"])
def test_grids_that_do_not_fit_are_told(name):
    with pytest.raises(UsageError, match="multiple"):
        create(name, kernel_size=2, grid=3)
    for shape in ((6, 8), (1, 4)):
        with pytest.raises(UsageError, match="crop or pad"):
            create(name, kernel_size=2, grid=4 if shape[0] > 1 else 2)(torch.zeros(1, 1, *shape))
