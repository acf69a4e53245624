import numpy as np
import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses.adversarial_pairs import FGAN, Minimax

P, Q = np.array([0.7, 0.1, 0.2]), np.array([0.2, 0.5, 0.3])
M, R = (P + Q) / 2, P / Q
CASES = {  # the divergence of P and Q, and the logits at which g(v) = f'(p / q)
    "kl": ((P * np.log(R)).sum(), 1 + np.log(R)),
    "reverse_kl": (-(Q * np.log(R)).sum(), np.log(R)),
    "pearson": (((P - Q) ** 2 / Q).sum(), 2 * (R - 1)),
    "squared_hellinger": (((np.sqrt(P) - np.sqrt(Q)) ** 2).sum(), np.log(R) / 2),
    "jensen_shannon": ((P * np.log(P / M) + Q * np.log(Q / M)).sum(), np.log(R)),
    "gan": ((P * np.log(P / (P + Q)) + Q * np.log(Q / (P + Q))).sum(), np.log(R)),
    "total_variation": (np.abs(P - Q).sum() / 2, 20 * np.sign(R - 1)),
}


def rows(logits):
    """The critic's logits of ten real and ten generated samples of three kinds."""
    return [
        torch.tensor(logits).repeat_interleave(torch.tensor((10 * share).round().astype(int)))
        for share in (P, Q)
    ]


@pytest.mark.parametrize("divergence", CASES)
def test_the_best_critic_measures_the_divergence_and_others_less(divergence):
    value, best = CASES[divergence]
    pair = FGAN(divergence)
    assert -pair.critic(*rows(best)).item() == pytest.approx(value, abs=1e-9)
    draw = np.random.default_rng(0)
    for _ in range(20):
        assert -pair.critic(*rows(best + draw.normal(size=3))).item() <= value + 1e-9


def test_generators():
    fake = torch.tensor([0.3, -2.0], dtype=torch.double)
    assert torch.allclose(FGAN("gan").generator(fake), torch.nn.functional.softplus(-fake).mean())
    assert torch.allclose(FGAN("gan", saturating=True).generator(fake), Minimax().generator(fake))
    expected = -np.exp(fake.numpy() - 1).mean()
    assert FGAN("kl", saturating=True).generator(fake).item() == pytest.approx(expected, rel=1e-12)
    assert FGAN("kl").generator(fake).item() == pytest.approx(0.85)


@pytest.mark.parametrize("divergence", CASES)
def test_huge_logits_stay_finite(divergence):
    for sign in (1, -1):
        far = torch.tensor([sign * 1e4], requires_grad=True)
        loss = FGAN(divergence).critic(far, far) + FGAN(divergence).generator(far)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(far.grad).all()


def test_unknown_divergences_are_refused():
    with pytest.raises(UsageError, match="renyi"):
        FGAN("renyi")
