import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.regularization import WeightedChannelDropout


def test_so_many_channels_are_drawn_in_proportion_to_their_weight():
    """Of three channels one: the first drawn is each with its share of the weights."""
    torch.manual_seed(0)
    weights = torch.tensor([1.0, 2.0, 5.0])
    x = weights.view(1, 3, 1, 1).expand(20_000, 3, 2, 2)
    y = WeightedChannelDropout(ratio=1 / 3, keep=1.0)(x)
    kept = (y != 0).flatten(2)
    assert torch.equal(kept.any(2), kept.all(2)) and (kept.all(2).sum(1) == 1).all()
    for share, expected in zip(kept.all(2).float().mean(0).tolist(), (1 / 8, 2 / 8, 5 / 8), strict=True):
        assert share == pytest.approx(expected, abs=0.015)
    torch.testing.assert_close(y.mean((2, 3)).sum(1), torch.full((20_000,), 8.0))


def test_two_of_three_without_replacement():
    torch.manual_seed(0)
    w = (1.0, 2.0, 5.0)
    x = torch.tensor(w).view(1, 3, 1, 1).expand(20_000, 3, 1, 1)
    left_out = (WeightedChannelDropout(2 / 3, 1.0)(x) == 0).flatten(1).float().mean(0).tolist()
    for k in range(3):
        a, b = (i for i in range(3) if i != k)
        both = w[a] / 8 * w[b] / (8 - w[a]) + w[b] / 8 * w[a] / (
            8 - w[b]
        )  # one of them first, then the other
        assert left_out[k] == pytest.approx(both, abs=0.015)


def test_a_further_share_is_dropped_of_the_drawn_and_the_sum_is_kept_on_average():
    torch.manual_seed(0)
    x = torch.rand(4000, 10, 2, 2)
    y = WeightedChannelDropout(0.8, 0.9)(x)
    assert (y != 0).any((2, 3)).float().mean().item() == pytest.approx(0.72, abs=0.01)
    assert y.sum().item() == pytest.approx(x.sum().item(), rel=0.02)
    assert torch.equal(WeightedChannelDropout().eval()(x), x)


def test_channels_without_weight_are_the_last_to_be_drawn():
    x = torch.zeros(50, 4, 2, 2)
    x[:, 2] = 1.0
    y = WeightedChannelDropout(0.25, 1.0)(x)
    assert torch.equal(y, x) and WeightedChannelDropout()(0 * x).isfinite().all()
    with pytest.raises(UsageError, match="keep is a share"):
        WeightedChannelDropout(keep=0.0)
