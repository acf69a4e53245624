import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses.adversarial_pairs import GradientNormalized, Hinge

W = torch.tensor([[3.0], [4.0]], dtype=torch.double)


def points(count=6, scale=1.0):
    return scale * torch.randn(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.double)


def test_a_straight_critic_is_divided_by_slope_and_height():
    x = points()
    height = x @ W
    torch.testing.assert_close(GradientNormalized().logits(lambda x: x @ W, x), height / (5 + height.abs()))
    gran = GradientNormalized("gran").logits(lambda x: x @ W, x)
    torch.testing.assert_close(gran, 5 * height / (25 + 0.1))


def test_logits_of_gn_are_bounded_and_the_slope_of_gran_is_one():
    torch.manual_seed(0)
    critic = torch.nn.Sequential(torch.nn.Linear(2, 9), torch.nn.LeakyReLU(), torch.nn.Linear(9, 1)).double()
    x = points(50, scale=100.0)
    assert GradientNormalized().logits(critic, x).abs().max() <= 1
    x = points(50).requires_grad_()
    (slope,) = torch.autograd.grad(GradientNormalized("gran", eps=1e-12).logits(critic, x).sum(), x)
    torch.testing.assert_close(slope.norm(dim=1), torch.ones(50, dtype=torch.double))


def test_the_generator_learns_through_the_slope_too():
    start = points()

    def loss(x):
        return GradientNormalized().logits(lambda x: (x @ W).tanh(), 1.0 * x).sum()

    torch.autograd.gradcheck(loss, (start.requires_grad_(),))


def test_a_flat_critic_at_zero_is_finite():
    logits = GradientNormalized().logits(lambda x: 0 * x[:, :1], points())
    assert logits.abs().max() == 0


def test_the_losses_are_hinges():
    real, fake = points()[:, :1], points()[:, 1:]
    assert torch.equal(GradientNormalized().critic(real, fake), Hinge().critic(real, fake))
    with pytest.raises(UsageError, match="layer"):
        GradientNormalized("layer")
