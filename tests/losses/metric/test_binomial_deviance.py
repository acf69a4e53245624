from math import log

import pytest
import torch

from embedded import batch, dot, mean, soft, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import BinomialDeviance


@pytest.mark.parametrize("options", [{}, {"cost": 1.0}, {"alpha": 3.0, "beta": 0.2, "cost": 10.0}])
def test_it_is_the_two_means_added_up(options):
    x, y = batch()
    rows = [unit(row) for row in x.tolist()]
    alpha, beta, cost = (options.get(k, v) for k, v in (("alpha", 2.0), ("beta", 0.5), ("cost", 25.0)))
    near, apart = [], []
    for i in range(len(rows)):
        for j in range(i):
            s = dot(rows[i], rows[j])
            if y[i] == y[j]:
                near.append(soft(-alpha * (s - beta)))
            else:
                apart.append(soft(alpha * cost * (s - beta)))
    expected = mean(near) + mean(apart)
    assert BinomialDeviance(**options)(x, y).item() == pytest.approx(expected, rel=1e-12)
    total = BinomialDeviance(**options, reduction="sum")(x, y).item()
    assert total == pytest.approx(9 * expected, rel=1e-12)


def test_at_the_threshold_a_pair_costs_log_two():
    x = torch.tensor([[1.0, 0.0], [0.5, 0.75**0.5]], dtype=torch.double)  # their cosine is 1/2
    for labels in ([0, 0], [0, 1]):
        assert BinomialDeviance()(x, torch.tensor(labels)).item() == pytest.approx(log(2), abs=1e-12)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="-1"):
        BinomialDeviance(cost=-1.0)
