from itertools import product

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.regularization import MaxPoolingDropout


def mean_over_masks(window, p):
    """The largest number that is left, over every mask by its probability."""
    total = 0.0
    for kept in product([0, 1], repeat=len(window)):
        chance = 1.0
        for k in kept:
            chance *= 1 - p if k else p
        total += chance * max(k * a for k, a in zip(kept, window, strict=True))
    return total


@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, 1), (2, 3)])
@pytest.mark.parametrize("p", [0.25, 0.7])
def test_evaluation_is_the_mean_of_training_over_all_masks(size, stride, p):
    torch.manual_seed(0)
    x = torch.rand(1, 2, 6, 7, dtype=torch.double)
    y = MaxPoolingDropout(size, p, stride).eval()(x)
    step = stride or size
    rows, columns = (6 - size) // step + 1, (7 - size) // step + 1
    assert y.shape == (1, 2, rows, columns)
    for c, r, k in product(range(2), range(rows), range(columns)):
        window = x[0, c, r * step : r * step + size, k * step : k * step + size].flatten().tolist()
        if len(window) <= 9:
            assert y[0, c, r, k].item() == pytest.approx(mean_over_masks(window, p), abs=1e-12)


@pytest.mark.parametrize("stride", [2, 1])
def test_training_draws_masks(stride):
    torch.manual_seed(0)
    x = torch.rand(1, 1, 3, 3, dtype=torch.double)
    layer = MaxPoolingDropout(2, 0.6, stride)
    draws = layer(x.expand(40_000, 1, 3, 3))
    torch.testing.assert_close(draws.mean(0), layer.eval()(x)[0], rtol=0, atol=0.01)
    assert set(draws[:, 0, 0, 0].tolist()) == {0.0, *x[0, 0, :2, :2].flatten().tolist()}


def test_without_dropping_it_is_max_pooling():
    x = torch.randn(2, 3, 5, 4)
    expected = torch.nn.functional.max_pool2d(x, 2)
    assert torch.equal(MaxPoolingDropout(p=0.0)(x), expected)
    assert torch.equal(MaxPoolingDropout(p=0.0).eval()(x), expected)
    with pytest.raises(UsageError):
        MaxPoolingDropout(p=1.0)
