from math import exp, log

import pytest
import torch

from torchatlas.losses.adversarial_pairs import SoftmaxGAN

REAL, FAKE = [1.0, -0.3, 2.0], [-0.5, 0.7, 0.1]


def test_losses_are_cross_entropies_of_one_softmax():
    total = sum(exp(v) for v in REAL + FAKE)
    shares = [exp(v) / total for v in REAL + FAKE]
    real, fake = torch.tensor(REAL, dtype=torch.double), torch.tensor(FAKE, dtype=torch.double)
    critic = -sum(log(s) for s in shares[:3]) / 3
    generator = -sum(log(s) for s in shares) / 6
    assert SoftmaxGAN().critic(real[:, None], fake[:, None]).item() == pytest.approx(critic, rel=1e-12)
    assert SoftmaxGAN().generator(fake[:, None], real[:, None]).item() == pytest.approx(generator, rel=1e-12)


def test_a_constant_critic_costs_the_log_of_the_batch():
    same = torch.full((5, 1), -2.0)
    for loss in (SoftmaxGAN().critic(same, same), SoftmaxGAN().generator(same, same)):
        assert loss.item() == pytest.approx(log(10), abs=1e-6)
