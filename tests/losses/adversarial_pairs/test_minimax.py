import math

import numpy as np
import pytest
import torch

from torchatlas.losses.adversarial_pairs import Minimax, NonSaturating

REAL, FAKE = torch.tensor([1.0], dtype=torch.double), torch.tensor([-0.5], dtype=torch.double)


def test_values_are_those_of_the_formulas():
    d_real, d_fake = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(0.5))
    assert Minimax().critic(REAL, FAKE).item() == pytest.approx(
        -math.log(d_real) - math.log(1 - d_fake), abs=1e-12
    )
    assert Minimax().critic(REAL, FAKE).item() == pytest.approx(0.787339, abs=1e-6)
    assert Minimax().generator(FAKE).item() == pytest.approx(math.log(1 - d_fake), abs=1e-12)
    assert NonSaturating().generator(FAKE).item() == pytest.approx(-math.log(d_fake), abs=1e-12)
    assert NonSaturating().generator(FAKE).item() == pytest.approx(0.974077, abs=1e-6)
    assert NonSaturating().critic(REAL, FAKE).item() == Minimax().critic(REAL, FAKE).item()


def test_the_best_critic_measures_the_jensen_shannon_divergence():
    p, g = np.array([0.7, 0.3]), np.array([0.2, 0.8])
    m = (p + g) / 2
    divergence = (p * np.log(p / m)).sum() / 2 + (g * np.log(g / m)).sum() / 2
    counts = (10 * p).round().astype(int), (10 * g).round().astype(int)
    logits = torch.tensor(np.log(p / g))  # of D = p / (p + g)
    real, fake = (logits.repeat_interleave(torch.tensor(c)) for c in counts)
    value = -Minimax().critic(real, fake).item()
    assert value == pytest.approx(2 * divergence - math.log(4), abs=1e-12)
    assert value == pytest.approx(-1.121283, abs=1e-6)


@pytest.mark.parametrize("logit", [-20.0, -0.5, 0.0, 2.0])
def test_generator_gradients(logit):
    sigma, grads = 1 / (1 + math.exp(-logit)), []
    for pair in (Minimax(), NonSaturating()):
        x = torch.tensor([logit], dtype=torch.double, requires_grad=True)
        grads.append(torch.autograd.grad(pair.generator(x), x)[0].item())
    assert grads[0] == pytest.approx(-sigma, abs=1e-12)
    assert grads[1] == pytest.approx(sigma - 1, abs=1e-12)
    assert grads[1] == pytest.approx(grads[0] * (1 - sigma) / sigma, rel=1e-9)


def test_only_the_minimax_gradient_fades_when_the_critic_wins():
    x = torch.tensor([-20.0], requires_grad=True)
    assert abs(torch.autograd.grad(Minimax().generator(x), x)[0].item()) < 1e-8
    assert torch.autograd.grad(NonSaturating().generator(x), x)[0].item() == pytest.approx(-1, abs=1e-6)


def test_huge_logits_stay_finite():
    far = torch.tensor([1e4])
    assert all(torch.isfinite(pair.critic(-far, far)) for pair in (Minimax(), NonSaturating()))
    assert all(
        torch.isfinite(pair.generator(s * far)) for pair in (Minimax(), NonSaturating()) for s in (1, -1)
    )
