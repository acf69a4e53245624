from math import exp, floor, log1p, sqrt

import pytest
import torch
import torch.nn.functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.losses.long_tailed import GHMLoss, GHMRegressionLoss


def binary(z, y):
    return max(z, 0) - z * y + log1p(exp(-abs(z)))


def sigmoid(z):
    return 1 / (1 + exp(-z))


def harmonized(losses, lengths, bins, running=None, momentum=0.0):
    """Weights N / (R M), R counted or the running mean."""
    places = [min(floor(g * bins), bins - 1) for g in lengths]
    density = {}
    for place in set(places):
        count = places.count(place)
        if running is not None:
            running[place] = momentum * running[place] + (1 - momentum) * count
            count = running[place]
        density[place] = count * bins
    return [len(losses) / density[place] * loss for loss, place in zip(losses, places, strict=True)]


def drawn(shape=(7, 3), seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=draw, dtype=torch.double) * 3


@pytest.mark.parametrize("bins", [1, 4, 10, 30])
def test_labels_are_weighed_by_the_density_of_their_gradients(bins):
    z, y = drawn().requires_grad_(), (drawn(seed=1) > 0).double()
    pairs = list(zip(z.flatten().tolist(), y.flatten().tolist(), strict=True))
    want = harmonized([binary(*p) for p in pairs], [abs(sigmoid(a) - b) for a, b in pairs], bins)
    got = GHMLoss(bins, reduction="none")(z, y)
    assert got.flatten().tolist() == pytest.approx(want, rel=1e-6)
    assert GHMLoss(bins)(z, y).item() == pytest.approx(sum(want) / 21, rel=1e-6)


def test_running_densities_move_in_training_alone():
    loss, running = GHMLoss(5, momentum=0.7, reduction="none"), [0.0] * 5
    for seed in range(3):
        z, y = drawn(seed=seed).requires_grad_(), (drawn(seed=seed + 9) > 0).double()
        pairs = list(zip(z.flatten().tolist(), y.flatten().tolist(), strict=True))
        lengths = [abs(sigmoid(a) - b) for a, b in pairs]
        want = harmonized([binary(*p) for p in pairs], lengths, 5, running, 0.7)
        assert loss(z, y).flatten().tolist() == pytest.approx(want, rel=1e-6)
        assert loss.running.tolist() == pytest.approx(running)
    plain = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    with torch.no_grad():
        assert torch.equal(loss(z, y), plain)
    assert torch.equal(loss.eval()(z, y), plain) and loss.running.tolist() == pytest.approx(running)


def test_gradients_spread_evenly_weigh_one_each():
    g = (torch.arange(10).double() + 0.5) / 10
    z = (g / (1 - g)).log()[:, None].requires_grad_()
    y = torch.zeros(10, 1).double()
    torch.testing.assert_close(GHMLoss()(z, y), F.binary_cross_entropy_with_logits(z, y))


def test_class_numbers_are_labels_of_one_class():
    z, y = drawn().requires_grad_(), torch.arange(7) % 3
    assert torch.equal(GHMLoss()(z, y), GHMLoss()(z, F.one_hot(y, 3).double()))
    torch.testing.assert_close(GHMLoss().probabilities(z), z.sigmoid() / z.sigmoid().sum(1, keepdim=True))


@pytest.mark.parametrize("mu", [0.02, 1.0])
def test_numbers_by_the_authentic_smooth_l1(mu):
    a, b = drawn().requires_grad_(), drawn(seed=4)
    far = (a - b).flatten().tolist()
    lengths = [abs(d) / sqrt(d * d + mu * mu) for d in far]
    want = harmonized([sqrt(d * d + mu * mu) - mu for d in far], lengths, 10)
    got = GHMRegressionLoss(mu, reduction="none")(a, b)
    assert got.flatten().tolist() == pytest.approx(want, rel=1e-6)


def test_wrong_words_are_refused():
    with pytest.raises(UsageError, match="bins"):
        GHMLoss(bins=0)
    with pytest.raises(UsageError, match="momentum"):
        GHMRegressionLoss(momentum=1.0)
    with pytest.raises(UsageError, match="mu"):
        GHMRegressionLoss(mu=0.0)
