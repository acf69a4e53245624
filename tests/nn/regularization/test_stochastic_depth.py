import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.regularization import StochasticDepth, drop_rates


def test_whole_samples_are_kept_or_left_out_and_the_mean_stays():
    torch.manual_seed(0)
    x = torch.rand(5000, 2, 3) + 1
    y = StochasticDepth(0.3)(x)
    kept = (y != 0).flatten(1)
    assert torch.equal(kept.any(1), kept.all(1))
    torch.testing.assert_close(y[kept.all(1)], x[kept.all(1)] / 0.7)
    assert kept.all(1).float().mean().item() == pytest.approx(0.7, abs=0.02)


def test_a_batch_may_share_one_draw():
    torch.manual_seed(0)
    x = torch.ones(4, 3)
    values = [StochasticDepth(0.5, per="batch")(x) for _ in range(40)]
    assert {tuple(v.unique().tolist()) for v in values} == {(0.0,), (2.0,)}


def test_extremes():
    x = torch.randn(3, 4)
    assert torch.equal(StochasticDepth(0.0)(x), x) and torch.equal(StochasticDepth(1.0)(x), 0 * x)
    assert torch.equal(StochasticDepth(0.9).eval()(x), x)
    with pytest.raises(UsageError):
        StochasticDepth(1.1)
    with pytest.raises(UsageError, match="sample or batch"):
        StochasticDepth(per="row")


def test_the_paper_s_rates_leave_three_quarters_of_the_depth():
    for blocks in (1, 54):
        rates = drop_rates(blocks)
        assert rates[-1] == 0.5 and rates[0] == pytest.approx(0.5 / blocks)
        assert sum(1 - p for p in rates) == pytest.approx((3 * blocks - 1) / 4)
