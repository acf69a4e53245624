import math

import torch

from torchatlas.generative.variational import Latents, elbo, importance_bound

CODES = torch.zeros(2, 2, 1)
LIKELIHOOD = torch.tensor([[-1.0, -2.0], [-3.0, -2.5]])
PRIOR = torch.tensor([[-0.5, -0.1], [-0.2, -0.4]])
POSTERIOR = torch.tensor([[0.3, 0.2], [-0.6, 0.1]])
SAMPLED = Latents(CODES, LIKELIHOOD, PRIOR, POSTERIOR, None)


def test_elbo_subtracts_the_exact_kl_where_there_is_one():
    exact = Latents(CODES, LIKELIHOOD, PRIOR, POSTERIOR, torch.tensor([0.7, 0.2]))
    torch.testing.assert_close(elbo(exact), torch.tensor([-2.0 - 0.7, -2.25 - 0.2]))
    torch.testing.assert_close(elbo(exact, beta=4.0), torch.tensor([-2.0 - 2.8, -2.25 - 0.8]))


def test_elbo_takes_the_samples_else():
    torch.testing.assert_close(elbo(SAMPLED), torch.tensor([-2.0 - (0.8 - 0.4) / 2, -2.25 - (0.3 + 0.5) / 2]))


def test_importance_bound_is_the_log_of_the_mean_weight():
    weights = [math.exp(-1.0 - 0.5 - 0.3), math.exp(-3.0 - 0.2 + 0.6)]
    torch.testing.assert_close(importance_bound(SAMPLED)[0], torch.tensor(math.log(sum(weights) / 2)))
    assert (importance_bound(SAMPLED) > elbo(SAMPLED)).all()
