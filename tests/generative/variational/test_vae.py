import math

import pytest
import torch
from torch import distributions, nn

from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.generative.variational import VAE, Gaussian, StandardNormal, elbo

IMAGE = Spec("image", (1, 4, 4), "none", 0)
TABLE = Spec("table", (5,), "none", 0)
SIGMA = 0.6


def linear_gaussian() -> tuple[VAE, torch.Tensor]:
    """x = Wz + noise with W's columns orthogonal, so that the exact posterior is diagonal; and its W."""
    weight = torch.linalg.qr(torch.randn(5, 2, dtype=torch.double)).Q * torch.tensor(
        [1.5, 0.4], dtype=torch.double
    )
    precision = weight.square().sum(0) / SIGMA**2 + 1
    encoder, decoder = nn.Linear(5, 4).double(), nn.Linear(2, 5, bias=False).double()
    with torch.no_grad():
        decoder.weight.copy_(weight)
        encoder.weight.copy_(torch.cat([(weight / SIGMA**2 / precision).mT, torch.zeros(2, 5)]))
        encoder.bias.copy_(torch.cat([torch.zeros(2), -precision.log()]))
    return VAE(encoder, decoder, StandardNormal(2), Gaussian(SIGMA), shape=(5,)), weight


def test_with_the_exact_posterior_the_bound_is_the_evidence():
    vae, weight = linear_gaussian()
    x = torch.randn(6, 5, dtype=torch.double)
    covariance = weight @ weight.mT + SIGMA**2 * torch.eye(5, dtype=torch.double)
    exact = distributions.MultivariateNormal(torch.zeros(5, dtype=torch.double), covariance).log_prob(x)
    for samples in (1, 3):
        torch.testing.assert_close(vae.log_prob(x, samples), exact, rtol=0, atol=1e-12)
    latents = vae.latents(x, 20_000)
    error = latents.log_likelihood.std(0) / math.sqrt(20_000)
    assert ((elbo(latents) - exact).abs() < 4 * error).all()


def test_with_another_posterior_the_bound_is_lower_and_more_samples_raise_it():
    vae, weight = linear_gaussian()
    with torch.no_grad():
        vae.encoder.bias.add_(torch.tensor([0.5, -0.5, 0.5, 0.5]))
    x = torch.randn(6, 5, dtype=torch.double)
    covariance = weight @ weight.mT + SIGMA**2 * torch.eye(5, dtype=torch.double)
    exact = (
        distributions.MultivariateNormal(torch.zeros(5, dtype=torch.double), covariance).log_prob(x).mean()
    )
    one, many = elbo(vae.latents(x, 5000)).mean(), vae.log_prob(x, 5000).mean()
    assert one < many - 0.1
    assert (many - exact).abs() < 0.05


def test_the_loss_is_summed_over_values_and_averaged_over_samples():
    vae, x = VAE.for_data(IMAGE, code=2, hidden=8), torch.rand(3, 1, 4, 4)
    torch.manual_seed(1)
    loss, parts = vae.loss("all", (x,))
    torch.manual_seed(1)
    scores = vae.scores((x,))
    torch.testing.assert_close(loss, scores["loss"].mean())
    torch.testing.assert_close(loss, parts["reconstruction"] + parts["kl"])
    torch.manual_seed(1)
    q = vae.posterior(vae.encoder(x))
    logits = vae.decoder(q.sample()[0])
    expected = nn.functional.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="sum") / 3
    torch.testing.assert_close(parts["reconstruction"], expected)


@pytest.mark.parametrize("spec", [IMAGE, TABLE])
def test_shapes(spec):
    vae, x = VAE.for_data(spec, code=3, hidden=(8, 6), samples=2), torch.rand(4, *spec.shape)
    assert vae.sample(7).shape == (7, *spec.shape)
    assert vae.reconstruct(x).shape == x.shape
    assert vae.transform(x).shape == (4, 3)
    assert vae.log_prob(x).shape == (4,)
    widths = [
        m.out_features for m in (*vae.encoder.modules(), *vae.decoder.modules()) if isinstance(m, nn.Linear)
    ]
    assert widths == [8, 6, 6, 6, 8, math.prod(spec.shape)]


def test_images_are_probabilities_and_tables_values():
    new = VAE.for_data(IMAGE).sample(5)
    assert ((new >= 0) & (new <= 1)).all()
    table = VAE.for_data(TABLE, sigma=0.25)
    assert isinstance(table.likelihood, Gaussian) and table.likelihood.sigma == 0.25


def test_an_unknown_likelihood_is_refused():
    with pytest.raises(UsageError, match="poisson"):
        VAE.for_data(TABLE, likelihood="poisson")


def test_it_learns_a_line_in_the_plane():
    x = torch.randn(256, 1) @ torch.tensor([[2.0, -1.0]]) + 0.05 * torch.randn(256, 2)
    vae = VAE.for_data(Spec("table", (2,), "none", 0), code=1, hidden=16, sigma=0.2)
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        vae.loss("all", (x,))[0].backward()
        optimizer.step()
    assert (vae.reconstruct(x) - x).square().mean() < 0.05
    new = vae.sample(500).detach()
    assert abs(float(torch.corrcoef(new.mT)[0, 1])) > 0.95
