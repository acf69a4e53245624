import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses.adversarial_pairs import (
    MMDGAN,
    Fisher,
    McGAN,
    Minimax,
    Pair,
    Relativistic,
    Wasserstein,
    WassersteinDiv,
    WassersteinGP,
)
from torchatlas.losses.adversarial_pairs.pair import asked, at_least_one, between, slopes


def test_a_pair_that_says_nothing_asks_for_nothing():
    words = {name: asked(Minimax(), name) for name in Pair.__annotations__}
    assert words == {
        "critic_steps": 1,
        "limit": None,
        "width": 1,
        "relative": False,
        "compares": False,
        "batchwise": False,
    }
    assert asked(None, "width") == 1
    assert asked(Relativistic(), "compares") and not asked(Relativistic(), "batchwise")


@pytest.mark.parametrize("kind", [Fisher, McGAN, MMDGAN, Wasserstein, WassersteinDiv, WassersteinGP])
def test_a_pair_asks_for_what_it_is_told(kind):
    assert asked(kind(critic_steps=3), "critic_steps") == 3
    if issubclass(kind, McGAN | MMDGAN):
        assert asked(kind(width=5, limit=0.3), "width") == 5 and asked(kind(limit=0.3), "limit") == 0.3
    if issubclass(kind, WassersteinDiv | WassersteinGP):  # the slope is bounded by a penalty instead
        assert asked(kind(), "limit") is None


def test_slopes_are_per_sample_and_can_be_differentiated():
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.double)
    a = torch.tensor(2.0, dtype=torch.double, requires_grad=True)
    logits, slope = slopes(lambda x: a * x.square().sum(1, keepdim=True), x)
    torch.testing.assert_close(logits[:, 0], torch.tensor([10.0, 20.0]).double())
    torch.testing.assert_close(slope, 4 * torch.tensor([5.0, 10.0]).double().sqrt())
    (grad,) = torch.autograd.grad(slope.sum(), a)
    torch.testing.assert_close(grad, 2 * torch.tensor([5.0, 10.0]).double().sqrt().sum())
    with torch.no_grad():
        assert torch.equal(slopes(lambda x: a * x.square().sum(1, keepdim=True), x)[1], slope)
    assert not x.requires_grad


def test_between_is_on_the_line():
    real, fake = torch.zeros(500, 2, 2), torch.ones(500, 2, 2)
    points = between(real, fake)
    assert (points == points[:, :1, :1]).all() and 0 <= points.min() < 0.05 and 0.95 < points.max() <= 1


def test_less_than_one_step_is_refused():
    with pytest.raises(UsageError, match="0"):
        at_least_one(0)
