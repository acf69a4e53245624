import math

import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.losses.penalties import L0Regularization
from torchatlas.nn.regularization import HardConcrete


def test_it_counts_the_gates_that_may_be_open():
    network = nn.Sequential(
        nn.Linear(3, 4), HardConcrete(4, keep=0.8), nn.Linear(4, 2), HardConcrete(2, keep=0.3)
    )

    def chance(keep):
        return 1 / (1 + math.exp(-(math.log(keep / (1 - keep)) - 2 / 3 * math.log(0.1 / 1.1))))

    expected = 0.5 * (4 * chance(0.8) + 2 * chance(0.3))
    assert L0Regularization(0.5)(network).item() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(UsageError, match="HardConcrete"):
        L0Regularization()(nn.Linear(2, 2))


def test_gates_that_do_not_help_shut_and_those_that_do_stay_open():
    torch.manual_seed(0)
    gates = HardConcrete(2)
    optimizer = torch.optim.Adam(gates.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        (3 * (1 - gates(torch.ones(2))[0]).square() + L0Regularization(0.2)(gates)).backward()
        optimizer.step()
    assert gates.eval()(torch.ones(2)).tolist() == [pytest.approx(1, abs=0.1), 0.0]
