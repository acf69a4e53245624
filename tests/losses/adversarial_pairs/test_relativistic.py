from math import exp, log

import pytest
import torch

from torchatlas import create
from torchatlas.losses.adversarial_pairs import Relativistic

REAL, FAKE = [1.0, -0.3, 2.0], [-0.5, 0.7, 0.1]


def tensors():
    return torch.tensor(REAL, dtype=torch.double)[:, None], torch.tensor(FAKE, dtype=torch.double)[:, None]


def sigma(v):
    return 1 / (1 + exp(-v))


def test_rgan_judges_two_by_two():
    one = Relativistic().critic(torch.tensor([1.0]), torch.tensor([-0.5])).item()
    assert one == pytest.approx(0.201413, abs=1e-6)
    expected = -sum(log(sigma(r - f)) for r, f in zip(REAL, FAKE, strict=True)) / 3
    assert Relativistic().critic(*tensors()).item() == pytest.approx(expected, rel=1e-12)
    expected = -sum(log(sigma(f - r)) for r, f in zip(REAL, FAKE, strict=True)) / 3
    real, fake = tensors()
    assert Relativistic().generator(fake, real).item() == pytest.approx(expected, rel=1e-12)


def test_ragan_judges_against_the_mean():
    r, f = sum(REAL) / 3, sum(FAKE) / 3
    real, fake = tensors()
    pair = create("ragan")
    critic = -sum(log(sigma(v - f)) for v in REAL) / 3 - sum(log(1 - sigma(v - r)) for v in FAKE) / 3
    assert pair.critic(real, fake).item() == pytest.approx(critic, rel=1e-12)
    generator = -sum(log(sigma(v - r)) for v in FAKE) / 3 - sum(log(1 - sigma(v - f)) for v in REAL) / 3
    assert pair.generator(fake, real).item() == pytest.approx(generator, rel=1e-12)
    assert pair.batchwise and not create("rgan").batchwise


def test_equal_logits_cost_log_two():
    same = torch.full((4, 1), 3.0)
    assert Relativistic().critic(same, same).item() == pytest.approx(log(2), abs=1e-6)
    assert Relativistic(average=True).critic(same, same).item() == pytest.approx(2 * log(2), abs=1e-6)
