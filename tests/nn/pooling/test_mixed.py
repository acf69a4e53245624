from math import exp

import pytest
import torch

from torchatlas import create

X = torch.randn(2, 3, 4, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1))
WINDOWS = X.reshape(2, 3, 2, 2, 3, 2).permute(0, 1, 2, 4, 3, 5).flatten(4)
LARGEST, MEAN = WINDOWS.amax(-1), WINDOWS.sum(-1) / 4


@pytest.mark.parametrize("name", ["mixed_pool"])
def test_training_takes_one_of_the_two_and_counts(name):
    pool, drawn = create(name, kernel_size=2), [0, 0]
    for _ in range(200):
        y = pool(X)
        kind = int(torch.allclose(y, MEAN))
        assert torch.equal(y, LARGEST) or kind
        drawn[kind] += 1
    assert pool.drawn.tolist() == drawn and 60 < drawn[0] < 140


@pytest.mark.parametrize("name", ["mixed_pool"])
@pytest.mark.parametrize(("drawn", "expected"), [((0, 0), LARGEST), ((3, 3), LARGEST), ((2, 3), MEAN)])
def test_evaluation_takes_what_was_drawn_more_often(name, drawn, expected):
    pool = create(name, kernel_size=2).eval()
    pool.drawn.copy_(torch.tensor(drawn))
    assert torch.allclose(pool(X), expected) and pool.drawn.tolist() == list(drawn)


@pytest.mark.parametrize("name", ["mixed_pool_learned"])
@pytest.mark.parametrize("logit", [0.0, 1.5, -2.0])
def test_a_learned_share_lies_between(name, logit):
    pool = create(name, kernel_size=2).double()
    assert pool.logit.item() == 0
    torch.nn.init.constant_(pool.logit, logit)
    share = 1 / (1 + exp(-logit))
    assert torch.allclose(pool(X), share * LARGEST + (1 - share) * MEAN)
    pool(X).sum().backward()
    assert pool.logit.grad.item() == pytest.approx(share * (1 - share) * (LARGEST - MEAN).sum().item())


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mixed_pool_sum", LARGEST + MEAN), ("mixed_pool_concat", torch.cat((LARGEST, MEAN), 1))],
)
def test_sum_and_join(name, expected):
    assert torch.allclose(create(name, kernel_size=2)(X), expected)


@pytest.mark.parametrize("name", ["mixed_pool_sum"])
def test_strides_and_borders_are_those_of_both(name):
    words = {"kernel_size": 3, "stride": 2, "padding": 1}
    expected = create("max_pool", **words)(X) + create("avg_pool", **words)(X)
    assert torch.equal(create(name, **words)(X), expected)
