import math

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.regularization import HardConcrete


def gate(u, log_alpha):
    s = 1 / (1 + math.exp(-(math.log(u) - math.log(1 - u) + log_alpha) / (2 / 3)))
    return min(1.0, max(0.0, s * 1.2 - 0.1))


def test_gates_are_those_of_the_paper_draw_by_draw():
    layer = HardConcrete((5,)).double()
    with torch.no_grad():
        layer.log_alpha.copy_(torch.tensor([-3.0, -0.5, 0.0, 1.0, 4.0]))
    torch.manual_seed(3)
    z = layer(torch.ones(2, 5, dtype=torch.double))
    torch.manual_seed(3)
    u = torch.rand(5, dtype=torch.double).tolist()
    expected = [gate(a, b) for a, b in zip(u, layer.log_alpha.tolist(), strict=True)]
    assert z[0].tolist() == pytest.approx(expected, abs=1e-12) and torch.equal(z[0], z[1])
    still = [min(1, max(0, 1.2 / (1 + math.exp(-a)) - 0.1)) for a in layer.log_alpha.tolist()]
    assert layer.eval()(torch.ones(5, dtype=torch.double)).tolist() == pytest.approx(still, abs=1e-12)


@pytest.mark.parametrize("log_alpha", [-1.5, 0.0, 2.0])
def test_open_is_the_chance_that_a_gate_is_not_zero(log_alpha):
    torch.manual_seed(0)
    layer = HardConcrete(100_000)
    with torch.no_grad():
        layer.log_alpha.fill_(log_alpha)
    assert (layer.gates() != 0).float().mean().item() == pytest.approx(
        layer.open().item() / 100_000, abs=0.01
    )


def test_far_logits_are_shut_and_open():
    layer = HardConcrete((2, 1, 1))
    with torch.no_grad():
        layer.log_alpha.copy_(torch.tensor([-1e4, 1e4]).view(2, 1, 1))
    y = layer(torch.ones(3, 2, 4, 4))
    assert (y[:, 0] == 0).all() and (y[:, 1] == 1).all() and layer.open().item() == 1
    assert HardConcrete(3, keep=0.9).log_alpha[0].item() == pytest.approx(math.log(9))
    with pytest.raises(UsageError):
        HardConcrete(3, keep=1.0)
