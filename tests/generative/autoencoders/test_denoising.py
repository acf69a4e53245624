import math

import pytest
import torch
from torch import nn

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.generative.autoencoders import Autoencoder, DenoisingAutoencoder

IMAGE = Spec("image", (1, 4, 4), "none", 0)
TABLE = Spec("table", (5,), "none", 0)


def noising(corruption: str, level: float) -> DenoisingAutoencoder:
    return DenoisingAutoencoder(nn.Identity(), nn.Identity(), False, (), corruption, level)


def test_masking_sets_a_share_to_zero_and_leaves_the_rest():
    x = torch.rand(200, 500) + 1
    noisy = noising("masking", 0.3).corrupted(x)
    gone = noisy == 0
    assert abs(gone.double().mean() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / x.numel())
    assert torch.equal(noisy[~gone], x[~gone])


def test_gaussian_noise_has_the_level_as_its_deviation():
    noise = noising("gaussian", 0.4).corrupted(torch.ones(400, 500)) - 1
    assert abs(noise.std() - 0.4) < 0.003 and abs(noise.mean()) < 0.004


def test_salt_and_pepper_sets_a_share_to_zero_or_one():
    noisy = noising("salt_and_pepper", 0.2).corrupted(torch.full((400, 500), 0.5))
    for value, share in ((0.0, 0.1), (1.0, 0.1), (0.5, 0.8)):
        assert (noisy == value).double().mean() == pytest.approx(share, abs=0.003)


@pytest.mark.parametrize("corruption", ["masking", "gaussian", "salt_and_pepper"])
def test_without_noise_it_is_an_autoencoder(corruption):
    model = DenoisingAutoencoder.for_data(IMAGE, code=2, hidden=8, corruption=corruption, level=0.0)
    plain = Autoencoder.for_data(IMAGE, code=2, hidden=8)
    plain.load_state_dict(model.state_dict())
    x = torch.rand(3, 1, 4, 4)
    assert torch.equal(model.loss("all", (x,))[0], plain.loss("all", (x,))[0])


def test_the_loss_is_against_clean_data_and_counts_all_values():
    x = torch.rand(7, 5, dtype=torch.double) + 1
    everything_masked = noising("masking", 1.0)
    torch.testing.assert_close(everything_masked.scores((x,))["loss"], x.square().sum(1))


def test_the_best_linear_denoiser_and_the_score_of_the_noisy_density():
    sigma, covariance = 0.5, torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.double)
    x = torch.randn(20_000, 2, dtype=torch.double) @ torch.linalg.cholesky(covariance).mT
    model = DenoisingAutoencoder.for_data(
        Spec("table", (2,), "none", 0), code=2, hidden=(), corruption="gaussian", level=sigma
    ).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        model.loss("all", (x,))[0].backward()
        optimizer.step()
    noisy = covariance + sigma**2 * torch.eye(2, dtype=torch.double)
    with torch.no_grad():
        points = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.double)
        got = (model.reconstruct(points) - model.reconstruct(-points)) / 2
    expected = points @ (covariance @ torch.linalg.inv(noisy)).mT
    assert (got - expected).abs().max() < 0.02
    score = -points @ torch.linalg.inv(noisy)
    assert ((got - points) / sigma**2 - score).abs().max() < 0.08


@pytest.mark.parametrize(("corruption", "level"), [("blur", 0.1), ("masking", 1.5), ("gaussian", -1.0)])
def test_unknown_noise_is_refused(corruption, level):
    with pytest.raises(UsageError, match="corruption"):
        DenoisingAutoencoder.for_data(TABLE, corruption=corruption, level=level)


def test_stopped_and_gone_on(tmp_path):
    assert_stopped_is_whole(tmp_path, "denoising_autoencoder", 6, 3, hidden=8)
