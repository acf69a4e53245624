import numpy as np
import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses.adversarial_pairs import Fisher

P, G = np.array([0.7, 0.3]), np.array([0.2, 0.8])


def rows(values):
    return [
        torch.tensor(values).repeat_interleave(torch.tensor((10 * share).round().astype(int)))[:, None]
        for share in (P, G)
    ]


def test_it_is_the_augmented_lagrangian():
    pair = Fisher(rho=0.5).double()
    pair.multiplier.fill_(0.3)
    values = np.array([2.0, -1.0])
    omega = ((P + G) * values**2).sum() / 2
    gap = ((P - G) * values).sum()
    expected = gap + 0.3 * (1 - omega) - 0.25 * (omega - 1) ** 2
    real, fake = rows(values)
    assert pair.critic(real, fake).item() == pytest.approx(-expected, rel=1e-12)
    assert pair.generator(fake).item() == pytest.approx(-(G * values).sum(), rel=1e-12)


def test_under_the_constraint_the_best_critic_sees_the_fisher_distance():
    best = (P - G) / ((P + G) / 2)
    omega = ((P + G) * best**2).sum() / 2
    value = -Fisher(rho=1.0).double().critic(*rows(best / omega**0.5)).item()
    assert value == pytest.approx((((P - G) ** 2) / ((P + G) / 2)).sum() ** 0.5, rel=1e-12)
    scale = rows(3 * best)
    assert -Fisher(rho=1.0).double().critic(*scale).item() < value


def test_the_multiplier_moves_once_a_step_and_only_in_training():
    pair = Fisher(rho=0.5)
    real, fake = (x.float() for x in rows(np.array([2.0, -1.0])))
    for _ in range(3):  # asked again it is the same
        pair.critic(real, fake)
    excess = (((P + G) * np.array([4.0, 1.0])).sum() / 2) - 1
    assert pair.multiplier.item() == 0
    pair.updated()
    assert pair.multiplier.item() == pytest.approx(0.5 * excess, rel=1e-6)
    pair.eval()
    pair.critic(10 * real, 10 * fake)
    assert pair.excess.item() == pytest.approx(excess, rel=1e-6)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="0"):
        Fisher(critic_steps=0)
