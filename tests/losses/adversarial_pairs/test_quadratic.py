import pytest
import torch

from torchatlas.losses.adversarial_pairs import GANQP


def test_the_critic_s_loss_is_the_gap_less_its_square():
    real, fake = torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([[0.0, 4.0], [0.5, 0.5]])
    w = torch.tensor([[3.0], [-1.0]])
    d = [(1 + 2) / 2, (0.5 + 1.5) / 2]  # mean absolute differences
    gaps = [1.0 - (-4.0), 1.0 - 1.0]
    pair = GANQP()
    loss = pair.critic(real @ w, fake @ w) + pair.penalty(lambda x: x @ w, real, fake)
    expected = sum(-g + g * g / (2 * 10 * each) for g, each in zip(gaps, d, strict=True)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert pair.generator(fake @ w).item() == pytest.approx(-(-4.0 + 1.0) / 2)


@pytest.mark.parametrize("weight", [10.0, 3.0])
def test_the_best_gap_is_a_multiple_of_the_distance(weight):
    real, fake = torch.zeros(1, 4, dtype=torch.double), torch.full((1, 4), 0.7, dtype=torch.double)
    pair = GANQP(weight)

    def value(gap):
        def critic(x):
            return gap * (x[:, :1] == 0).double()

        return (pair.critic(critic(real), critic(fake)) + pair.penalty(critic, real, fake)).item()

    best = weight * 0.7
    assert -value(best) == pytest.approx(best / 2, rel=1e-9)
    assert value(best) < min(value(best * 0.99), value(best * 1.01))


def test_equal_samples_cost_a_finite_number():
    x = torch.ones(3, 2)
    assert torch.isfinite(GANQP().penalty(lambda x: x.sum(1, keepdim=True), x, x))
