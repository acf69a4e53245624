import math

import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.losses.penalties import ElasticNet, L1Regularization, L2Regularization, Penalties, Weissi


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 4)).double()


def numbers(network, biases):
    kept = [p for p in network.parameters() if biases or p.ndim > 1]
    return [value for p in kept for value in p.flatten().tolist()]


@pytest.mark.parametrize("biases", [False, True])
def test_sums_over_all_weights(biases):
    network = net()
    values = numbers(network, biases)
    assert len(values) == 72 if not biases else 72 + 3 + 6 + 4
    squares, sizes = math.fsum(w * w for w in values), math.fsum(map(abs, values))
    assert L2Regularization(0.3, biases)(network).item() == pytest.approx(0.3 * squares, rel=1e-12)
    assert L1Regularization(0.3, biases)(network).item() == pytest.approx(0.3 * sizes, rel=1e-12)
    both = ElasticNet(0.2, 0.5, 2.0, biases)(network).item()
    assert both == pytest.approx(2 * (0.2 * sizes + 0.5 * squares), rel=1e-12)
    several = Penalties([L1Regularization(0.2, biases), L2Regularization(0.5, biases)])
    assert 2 * several(network).item() == pytest.approx(both, rel=1e-12)


def test_half_of_sgd_s_weight_decay_is_the_same_step():
    one, other = net(), net()
    torch.optim.SGD(one.parameters(), 0.1, weight_decay=0.04).zero_grad()
    for network, decay in ((one, 0.04), (other, 0.0)):
        optimizer = torch.optim.SGD(network.parameters(), 0.1, weight_decay=decay)
        loss = sum(p.sin().sum() for p in network.parameters())
        (loss if decay else loss + L2Regularization(0.02, biases=True)(network)).backward()
        optimizer.step()
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_l1_draws_to_the_soft_threshold():
    """The least of (w - a)²/2 + λ|w| is a moved by λ towards 0, or 0."""
    for a, expected in ((1.0, 0.7), (-2.0, -1.7), (0.2, 0.0)):
        layer = nn.Linear(1, 1, bias=False).double()
        penalty = L1Regularization(0.3)
        for step in range(4000):
            layer.zero_grad()
            ((layer.weight - a).square().sum() / 2 + penalty(layer)).backward()
            with torch.no_grad():
                layer.weight -= 0.1 / (1 + 0.05 * step) * layer.weight.grad
        assert layer.weight.item() == pytest.approx(expected, abs=5e-3)


def test_weissi_is_blind_to_shifts_of_scale_and_l2_is_not():
    network = net()
    layers = [p for p in network.parameters() if p.ndim > 1]
    lengths = [math.sqrt(math.fsum(w * w for w in p.flatten().tolist())) for p in layers]
    before, l2 = Weissi(0.5)(network).item(), L2Regularization()(network).item()
    assert before == pytest.approx(0.5 * sum(map(math.log, lengths)), rel=1e-12)
    with torch.no_grad():
        layers[0] *= 3
        layers[1] /= 3
    assert Weissi(0.5)(network).item() == pytest.approx(before, abs=1e-12)
    assert L2Regularization()(network).item() != pytest.approx(l2, rel=0.1)
    with torch.no_grad():
        layers[0].zero_()
    value = Weissi()(network)
    value.backward()
    assert value.isfinite() and layers[0].grad.isfinite().all()


def test_wrong_words():
    for wrong in (
        lambda: L2Regularization(-1.0),
        lambda: L1Regularization(float("nan")),
        lambda: ElasticNet(l1=-1),
    ):
        with pytest.raises(UsageError, match="at least 0"):
            wrong()
    with pytest.raises(UsageError, match="no weights"):
        L2Regularization()(nn.ReLU())
