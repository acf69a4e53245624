import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.losses.adversarial_pairs import LeastSquares

P, G = np.array([0.7, 0.3]), np.array([0.2, 0.8])


def rows(values):
    """Logits of two kinds of samples, as often as they are among 10 real and 10 generated ones."""
    return [
        torch.tensor(values).repeat_interleave(torch.tensor((10 * share).round().astype(int)))
        for share in (P, G)
    ]


def test_values_are_those_of_the_formulas():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-0.5, 0.5])
    assert LeastSquares().critic(real, fake).item() == pytest.approx((0 + 4) / 4 + 0.25 / 2)
    assert LeastSquares().generator(fake).item() == pytest.approx((2.25 + 0.25) / 4)
    assert LeastSquares().critic(torch.ones(3), torch.zeros(3)).item() == 0
    pearson = create("lsgan_pearson")
    assert (pearson.a, pearson.b, pearson.c) == (-1, 1, 0)
    assert pearson.critic(real, fake).item() == pytest.approx((0 + 4) / 4 + (0.25 + 2.25) / 4)
    assert pearson.generator(fake).item() == pytest.approx(0.125)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (-1.0, 1.0), (0.3, -2.0)])
def test_the_best_critic_is_the_weighted_mean_of_the_targets(a, b):
    best = (b * P + a * G) / (P + G)
    floor = LeastSquares(a, b).critic(*rows(best)).item()
    for step in ([0.01, 0], [0, -0.01], [-0.02, 0.01]):
        assert LeastSquares(a, b).critic(*rows(best + np.array(step))).item() > floor


def test_against_the_best_critic_pearson_s_divergence_is_left():
    real, fake = rows((P - G) / (P + G))
    both = (real.square().mean() + fake.square().mean()).item()  # twice the generator's part, of both sides
    assert both == pytest.approx(((P - G) ** 2 / (P + G)).sum(), abs=1e-12)
