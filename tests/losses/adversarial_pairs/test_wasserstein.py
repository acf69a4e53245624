import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses.adversarial_pairs import Wasserstein


def test_values_are_the_mean_gap():
    real, fake = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([-0.5, 0.5, 0.0])
    pair = Wasserstein()
    assert pair.critic(real, fake).item() == pytest.approx(-3.0)
    assert pair.critic(fake, real).item() == pytest.approx(3.0)
    assert pair.generator(real).item() == pytest.approx(-3.0)
    assert (pair.limit, pair.critic_steps) == (0.01, 5)


def test_no_critic_of_slope_one_sees_more_than_the_distance():
    draw = torch.Generator().manual_seed(0)
    x, g = torch.randn(200, generator=draw), 0.5 * torch.randn(200, generator=draw) + 1
    distance = (x.sort().values - g.sort().values).abs().mean().item()  # of sorted samples, in one dimension
    pair = Wasserstein()
    for critic in (torch.sin, torch.abs, lambda v: -v, lambda v: (v - 0.3).relu()):
        assert -pair.critic(critic(x), critic(g)).item() <= distance + 1e-6
    assert -pair.critic(-x, -(x + 2)).item() == pytest.approx(
        2, abs=1e-5
    )  # moved by 2: the best critic is -v


def test_wrong_options_are_refused():
    for wrong in ({"limit": 0.0}, {"critic_steps": 0}):
        with pytest.raises(UsageError, match="0"):
            Wasserstein(**wrong)
