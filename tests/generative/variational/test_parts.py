import math

import pytest
import torch
from torch import distributions

from torchatlas.generative.variational import Bernoulli, DiagonalGaussian, Gaussian, StandardNormal

MEAN = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.3, -0.7]], dtype=torch.double)
LOG_VARIANCE = torch.tensor([[0.0, 1.0, -2.0], [0.5, -0.5, 0.1]], dtype=torch.double)
Q = DiagonalGaussian(MEAN, LOG_VARIANCE)
TORCH_Q = distributions.Normal(MEAN, (LOG_VARIANCE / 2).exp())


def test_densities_are_torch_s():
    z = torch.randn(4, 2, 3, dtype=torch.double)
    torch.testing.assert_close(Q.log_prob(z), TORCH_Q.log_prob(z).sum(-1), rtol=0, atol=1e-12)
    expected = distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    torch.testing.assert_close(StandardNormal(3).log_prob(z), expected, rtol=0, atol=1e-12)


def test_kl_is_torch_s_and_that_of_the_samples():
    got = Q.kl(StandardNormal(3))
    expected = distributions.kl_divergence(TORCH_Q, distributions.Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    z = Q.sample(20_000)
    terms = Q.log_prob(z) - StandardNormal(3).log_prob(z)  # (k, b)
    assert ((terms.mean(0) - got).abs() < 4 * terms.std(0) / math.sqrt(len(z))).all()


def test_kl_to_another_prior_is_left_to_the_samples():
    class Mixture:
        def log_prob(self, z):
            return z.sum(-1)

        def sample(self, count, like):
            return like

    assert Q.kl(Mixture()) is None


def test_gradients_pass_through_samples():
    mean = torch.full((50_000, 1), 0.7, dtype=torch.double, requires_grad=True)
    log_variance = torch.full((50_000, 1), -0.4, dtype=torch.double, requires_grad=True)
    DiagonalGaussian(mean, log_variance).sample()[0].square().sum().backward()
    # E[z²] = μ² + σ²: its gradients are 2μ and, in log σ², σ²
    for grad, expected in ((mean.grad, 2 * 0.7), (log_variance.grad, math.exp(-0.4))):
        assert abs(float(grad.mean()) - expected) < 4 * float(grad.std()) / math.sqrt(len(grad))


def test_from_outputs_takes_means_then_log_variances():
    q = DiagonalGaussian.from_outputs(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert (q.mean.tolist(), q.log_variance.tolist()) == ([[1.0, 2.0]], [[3.0, 4.0]])


@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_gaussian_likelihood_holds_its_constant(sigma):
    x, outputs = torch.randn(2, 5, dtype=torch.double), torch.randn(3, 2, 5, dtype=torch.double)
    expected = distributions.Normal(outputs, sigma).log_prob(x).sum(-1)
    torch.testing.assert_close(Gaussian(sigma).log_prob(outputs, x), expected, rtol=0, atol=1e-10)


def test_the_sum_of_squares_is_a_variance_of_a_half():
    x, outputs = torch.randn(2, 5, dtype=torch.double), torch.randn(2, 5, dtype=torch.double)
    constant = 5 / 2 * math.log(math.pi)
    got = -Gaussian(math.sqrt(0.5)).log_prob(outputs, x) - constant
    torch.testing.assert_close(got, (x - outputs).square().sum(-1))


def test_bernoulli_likelihood_is_torch_s():
    x, outputs = torch.randint(2, (2, 5)).double(), torch.randn(3, 2, 5, dtype=torch.double)
    expected = distributions.Bernoulli(logits=outputs).log_prob(x.expand(3, 2, 5)).sum(-1)
    torch.testing.assert_close(Bernoulli().log_prob(outputs, x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(Bernoulli().mean(outputs), 1 / (1 + (-outputs).exp()))
