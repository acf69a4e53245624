import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.generative.variational import VAE, FactorVAE, Gaussian, StandardNormal
from torchatlas.generative.variational.factor_vae import permuted

IMAGE = Spec("image", (1, 4, 4), "none", 0)
RHO = 0.8


class PassOn(nn.Module):
    """An encoder whose posterior is the data itself: means as they are, next to no variance."""

    def forward(self, x):
        return torch.cat([x, torch.full_like(x, -40.0)], 1)


class BestCritic(nn.Module):
    """The log-ratio of a bivariate normal of correlation RHO to the product of its margins."""

    def forward(self, z):
        a, b = z[:, :1], z[:, 1:]
        joint = -(a * a - 2 * RHO * a * b + b * b) / (2 * (1 - RHO**2)) - math.log(1 - RHO**2) / 2
        return joint + (a * a + b * b) / 2


def model(critic: nn.Module, gamma: float = 1.0) -> FactorVAE:
    parts = (PassOn(), nn.Linear(2, 2), StandardNormal(2), Gaussian(1.0))
    return FactorVAE(*parts, critic=critic, gamma=gamma, shape=(2,)).double()


def correlated(count: int, rho: float = RHO) -> torch.Tensor:
    x = torch.randn(count, 2, dtype=torch.double)
    return torch.stack([x[:, 0], rho * x[:, 0] + math.sqrt(1 - rho**2) * x[:, 1]], 1)


def test_shuffling_keeps_the_margins_and_breaks_the_dependence():
    x = correlated(5000)
    shuffled = permuted(x)
    assert torch.equal(shuffled.sort(0).values, x.sort(0).values)
    assert torch.corrcoef(x.mT)[0, 1] > 0.75
    assert abs(torch.corrcoef(shuffled.mT)[0, 1]) < 4 / math.sqrt(5000)


def test_the_best_critic_tells_the_total_correlation():
    exact = -math.log(1 - RHO**2) / 2
    assert exact == pytest.approx(0.510826, abs=1e-6)
    logits = model(BestCritic()).scores((correlated(40_000),))["total_correlation"]
    assert abs(logits.mean().item() - exact) < 4 * logits.std().item() / 200


def test_the_penalty_is_added_to_the_bound():
    x = correlated(500)
    plain, penalised = (model(BestCritic(), gamma) for gamma in (0.0, 7.0))
    penalised.load_state_dict(plain.state_dict())
    losses = []
    for each in (plain, penalised):
        torch.manual_seed(4)
        losses.append(each.loss("model", (x,)))
    assert losses[1][1]["total_correlation"] > 0.3  # dependent codes cost
    torch.testing.assert_close(losses[1][0] - losses[0][0], 7 * losses[1][1]["total_correlation"])


def test_without_penalty_it_is_a_vae():
    factor = FactorVAE.for_data(IMAGE, code=3, hidden=8, gamma=0.0, critic=8)
    vae = VAE.for_data(IMAGE, code=3, hidden=8)
    vae.load_state_dict(factor.state_dict(), strict=False)
    x, losses = torch.rand(5, 1, 4, 4), []
    for learner, player in ((factor, "model"), (vae, "all")):
        torch.manual_seed(1)
        losses.append(learner.loss(player, (x,))[0])
    assert torch.equal(*losses)


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_the_critic_sees_codes_of_one_half_and_shuffled_codes_of_the_other(count):
    seen = []

    class Watch(nn.Module):
        def forward(self, z):
            seen.append(z)
            return 2 * z[:, :1] - 1

    x = torch.randn(count, 2, dtype=torch.double)
    loss, _ = model(Watch()).loss("critic", (x,))
    half = math.ceil(count / 2)
    torch.testing.assert_close(seen[0], x[:half], rtol=0, atol=1e-6)
    torch.testing.assert_close(seen[1].sort(0).values, x[-half:].sort(0).values, rtol=0, atol=1e-6)
    real = F.cross_entropy(
        torch.cat([2 * x[:half, :1] - 1, torch.zeros(half, 1)], 1), torch.zeros(half).long()
    )
    logits = torch.cat([2 * x[-half:, :1] - 1, torch.zeros(half, 1)], 1)
    torch.testing.assert_close(loss, (real + F.cross_entropy(logits, torch.ones(half).long())) / 2)


@pytest.mark.parametrize(("rho", "exact"), [(RHO, 0.5108), (0.0, 0.0)])
def test_a_trained_critic_finds_the_total_correlation(rho, exact):
    features = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    learner = model(features)
    optimizer = torch.optim.Adam(learner.owned("critic"), lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 200)
    for _ in range(200):
        optimizer.zero_grad()
        learner.loss("critic", (correlated(4096, rho),))[0].backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        estimate = learner.scores((correlated(20_000, rho),))["total_correlation"].mean().item()
    assert estimate == pytest.approx(exact, abs=0.07)


def test_each_turn_leaves_the_other_player_without_gradient():
    learner, x = FactorVAE.for_data(IMAGE, code=3, hidden=8, critic=8), torch.rand(6, 1, 4, 4)
    for player in learner.turns(0):
        learner.requires_grad_(False)
        for parameter in learner.owned(player):
            parameter.requires_grad_()
        learner.zero_grad(set_to_none=True)
        learner.loss(player, (x,))[0].backward()
        with_gradient = {name.split(".")[0] for name, p in learner.named_parameters() if p.grad is not None}
        assert with_gradient == {"model": {"encoder", "decoder"}, "critic": {"critic"}}[player]


def test_stopped_and_gone_on(tmp_path):
    assert_stopped_is_whole(tmp_path, "factor_vae", 6, 3, code=3, hidden=8, critic=8)
