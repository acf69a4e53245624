import pytest
import torch

from torchatlas.losses.adversarial_pairs import (
    DRAGAN,
    NonSaturating,
    Wasserstein,
    WassersteinDiv,
    WassersteinGP,
    gradient_penalties,
)
from torchatlas.losses.adversarial_pairs.pair import slopes

WEIGHTS = torch.tensor(
    [[[2.0, -1.0], [0.5, 1.5]], [[1.0, 0.0], [-1.0, 0.5]]], dtype=torch.double
)  # (2, 2, 2)


def images(seed, count=5):
    return torch.randn(count, 2, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def straight(length):
    """A critic f = <w, x> over images, of a slope."""
    w = WEIGHTS * length / WEIGHTS.square().sum().sqrt()
    return lambda x: (x * w).flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("length", [0.0, 1.0, 3.0, 0.5])
def test_a_straight_critic_pays_for_its_slope_over_the_whole_image(length):
    real, fake = images(0), images(1)
    for pair in (WassersteinGP(), DRAGAN()):
        penalty = pair.penalty(straight(length), real, fake).item()
        assert penalty == pytest.approx(10 * (length - 1) ** 2, abs=1e-9)
    assert DRAGAN(2.0, slope=3.0).penalty(straight(length), real, fake).item() == pytest.approx(
        2 * (length - 3) ** 2, abs=1e-9
    )
    div = WassersteinDiv().penalty(straight(length), real, fake).item()
    assert div == pytest.approx(2 * length**6, rel=1e-9)  # 128 for a slope of 2
    assert WassersteinDiv(1.0, 2.0).penalty(straight(length), real, fake).item() == pytest.approx(length**2)


def bowl(x):
    return x.square().flatten(1).sum(1, keepdim=True) / 2  # its slope is |x|


@pytest.mark.parametrize("kind", [WassersteinGP, WassersteinDiv])
def test_points_are_drawn_on_the_line_with_one_share_per_sample(kind):
    torch.manual_seed(0)
    real, fake = (
        torch.zeros(20_000, 18).double(),
        torch.full((20_000, 18), 3 / 18**0.5).double(),
    )  # |fake| = 3
    if kind is WassersteinGP:  # the mean of (3u - 1)^2 over u: 9/3 - 3 + 1
        assert WassersteinGP(1.0).penalty(bowl, real, fake).item() == pytest.approx(1.0, abs=0.05)
    else:  # the mean of (3u)^2
        assert WassersteinDiv(1.0, 2.0).penalty(bowl, real, fake).item() == pytest.approx(3.0, abs=0.05)


def test_dragan_stays_around_the_data(monkeypatch):
    torch.manual_seed(0)
    real = torch.full((20_000, 2), 10.0).double()
    real[::2] += 4  # a deviation of 2: v is drawn in 0..1 and halved, u in 0..1
    seen = []
    monkeypatch.setattr(gradient_penalties, "slopes", lambda critic, x: seen.append(x) or slopes(critic, x))
    DRAGAN().penalty(bowl, real, 1e9 * real)
    moved = seen[0] - real
    assert moved.min() >= 0 and 0.95 < moved.max() <= 1.0
    assert moved.mean().item() == pytest.approx(0.25, abs=0.01)  # E[u v] * 2 / 2
    apart = moved[:, 0] / moved[:, 1]
    assert apart.std() > 0.1  # one v per value


def test_the_penalty_s_gradient_reaches_the_weights():
    w = torch.tensor([3.0, 4.0], dtype=torch.double, requires_grad=True)
    real, fake = images(0).flatten(1)[:, :2], images(1).flatten(1)[:, :2]
    (grad,) = torch.autograd.grad(WassersteinGP(1.0).penalty(lambda x: x @ w[:, None], real, fake), w)
    torch.testing.assert_close(grad, 2 * (5 - 1) * w.detach() / 5)  # 2 (|w| - 1) w / |w|


def test_the_losses_are_those_of_the_parents():
    real, fake = images(2)[:, 0, 0], images(3)[:, 0, 0]
    for pair in (WassersteinGP(), WassersteinDiv()):
        assert torch.equal(pair.critic(real, fake), Wasserstein().critic(real, fake))
        assert pair.limit is None and pair.critic_steps == 5 and pair.relative
    assert torch.equal(DRAGAN().generator(fake), NonSaturating().generator(fake))
    assert torch.equal(DRAGAN().critic(real, fake), NonSaturating().critic(real, fake))
