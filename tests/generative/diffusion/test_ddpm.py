import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.generative.diffusion import DDPM, Noising, linear_betas
from torchatlas.study.laws.diffusions import ExactNoise, returned

IMAGE = Spec("image", (1, 8, 8), "none", 0)
LINE = Spec("table", (1,), "none", 0)
PROCESS = Noising(linear_betas(1000), torch.double)


class Remembers(nn.Module):
    """A network that says the same for every input, and keeps what it saw."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value, self.seen = nn.Parameter(torch.tensor(value, dtype=torch.double)), []

    def forward(self, x, t):
        self.seen.append((x, t))
        return self.value.expand_as(x)


def remembering(value=0.0, shape=(3,), **options):
    return DDPM(Remembers(value), PROCESS, shape, **options).requires_grad_(False)


@pytest.mark.parametrize(
    ("variance", "deviation", "expected"),
    [
        ("beta", 1.0, 0.999950),
        ("beta", 0.5, 0.500752),
        ("beta", 0.05, 0.050386),
        ("posterior", 1.0, 0.995524),
        ("posterior", 0.5, 0.496110),
        ("posterior", 0.05, 0.046293),
    ],
)
def test_exact_noise_gives_back_normal_data_as_measured_elsewhere(variance, deviation, expected):
    mean, got = returned(DDPM(nn.Identity(), PROCESS, (1,), variance), 0.7, deviation)
    assert got == pytest.approx(expected, abs=2e-6)
    assert mean == pytest.approx(0.69997, abs=1e-4)


def test_the_loss_is_the_mean_squared_error_of_the_noise():
    learner, x = remembering(0.25), torch.randn(2000, 3, dtype=torch.double)
    torch.manual_seed(1)
    loss = learner.loss("all", (x,))
    now, t = learner.network.seen[0]
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[t][:, None]
    noise = (now.numpy() - np.sqrt(kept) * x.numpy()) / np.sqrt(1 - kept)
    assert float(loss) == pytest.approx(((noise - 0.25) ** 2).mean(), rel=1e-6)
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05
    assert abs(float(t.double().mean()) - 499.5) < 30 and (int(t.min()), int(t.max())) != (1, 1000)
    assert t.min() >= 0 and t.max() <= 999 and t.max() > 980 and t.min() < 20


def test_scores_are_per_sample_and_see_every_time_evenly():
    learner, x = remembering(), torch.randn(1000, 3, dtype=torch.double)
    scores = learner.scores((x,))
    now, t = learner.network.seen[0]
    assert t.tolist() == list(range(1000))
    noise = (now - PROCESS.signal[t][:, None] * x) / PROCESS.spread[t][:, None]
    torch.testing.assert_close(scores["loss"], noise.square().mean(1), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_a_step_back_is_the_paper_s(variance):
    learner = remembering(0.3, (1,), variance=variance)
    now, noise = torch.tensor([[0.8]], dtype=torch.double), torch.tensor([[-0.4]], dtype=torch.double)
    betas = np.linspace(1e-4, 0.02, 1000)
    kept = np.cumprod(1 - betas)
    for t in (0, 1, 400, 999):
        mean = (0.8 - betas[t] / math.sqrt(1 - kept[t]) * 0.3) / math.sqrt(1 - betas[t])
        square = betas[t] if variance == "beta" or t == 0 else (1 - kept[t - 1]) / (1 - kept[t]) * betas[t]
        expected = mean + (math.sqrt(square) * -0.4 if t else 0.0)
        got = float(learner.step_back(now, torch.tensor([t]), noise))
        assert got == pytest.approx(expected, abs=1e-12)


def test_the_guess_of_an_image_is_clipped():
    image, row = remembering(-50.0, (1, 1, 1), shades=17), remembering(-50.0, (1, 1, 1))
    now, t = torch.full((1, 1, 1, 1), 0.2, dtype=torch.double), torch.tensor([600])
    expected = PROCESS.posterior_mean(torch.ones_like(now), now, t)
    still = torch.zeros_like(now)
    torch.testing.assert_close(image.step_back(now, t, still), expected, rtol=0, atol=1e-12)
    assert row.step_back(now, t, still) > expected + 0.5


def looseness(process, variance):
    """How far the bound stays off where data is smooth, so that a step back truly has the variance beta."""
    wanted = (process.betas if variance == "beta" else process.posterior_variances).clone()
    wanted[0] = process.posterior_variances[1]
    ratio = process.betas / wanted
    return float((ratio - 1 - ratio.log()).sum() / 2)


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_with_exact_noise_the_bound_is_as_near_the_truth_as_its_variances_let_it(variance):
    process = Noising(linear_betas(200), torch.double)
    learner = DDPM(ExactNoise(process, 0.7, 0.5), process, (1,), variance)
    x = 0.7 + 0.5 * torch.randn(8000, 1, dtype=torch.double)
    gap = learner.bound(x) + torch.from_numpy(stats.norm(0.7, 0.5).logpdf(x.numpy())[:, 0])
    error = float(gap.std()) / math.sqrt(len(gap))
    assert abs(float(gap.mean()) - looseness(process, variance)) < 0.03 + 4 * error
    other = DDPM(ExactNoise(process, 0.4, 0.5), process, (1,), variance).bound(x[:2000])
    assert float(other.mean()) > float(learner.bound(x[:2000]).mean()) + 0.1, "a wrong model is no better"


def test_the_last_term_is_the_mass_of_each_shade(monkeypatch):
    learner = remembering(0.0, (1, 1, 1), shades=5)
    deviation = float(PROCESS.posterior_variances[1].sqrt())
    for mean in (0.5 + deviation, -1.0, 0.25 - 2 * deviation, 0.75):
        monkeypatch.setattr(learner, "_mean_before", lambda now, t, mean=mean: torch.full_like(now, mean))
        shades = torch.linspace(-1, 1, 5, dtype=torch.double).view(-1, 1, 1, 1)
        got = (-learner._data_term(shades)).exp().numpy()
        edges = np.array([-np.inf, -0.75, -0.25, 0.25, 0.75, np.inf])
        exact = np.diff(stats.norm(mean, deviation).cdf(edges))
        np.testing.assert_allclose(got, exact, atol=1e-12)
        assert got.sum() == pytest.approx(1, abs=1e-12)


def test_samples_of_images_lie_in_range_and_rows_are_free():
    for spec in (IMAGE, Spec("table", (4,), "none", 0)):
        learner = DDPM.for_data(spec, timesteps=10, width=8, multiples=(1, 2), hidden=(8,))
        with torch.no_grad():
            new = learner.sample(5)
        assert new.shape == (5, *spec.shape) and torch.isfinite(new).all()
        assert spec is not IMAGE or new.abs().max() <= 1


def test_an_unknown_variance_is_refused():
    with pytest.raises(UsageError, match="large"):
        DDPM.for_data(LINE, variance="large")


def test_it_learns_a_normal_column():
    x = 0.4 + 0.2 * torch.randn(256, 1)
    learner = DDPM.for_data(LINE, timesteps=50, hidden=(64, 64))
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        learner.loss("all", (x,)).backward()
        optimizer.step()
    with torch.no_grad():
        new = learner.sample(1000)
    assert abs(float(new.mean()) - 0.4) < 0.1
    assert abs(float(new.std()) - 0.2) < 0.1


def test_stopped_and_gone_on_with_it_ends_in_the_same_bytes(tmp_path):
    options = {"width": 8, "multiples": (1, 2), "timesteps": 20, "batch_size": 300}
    assert_stopped_is_whole(tmp_path, "ddpm", steps=5, at=2, ema=0.9, micro=2, **options)
