from math import exp, inf, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

X = torch.randn(2, 3, 4, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 2


@pytest.mark.parametrize("form", ["symmetric", "asymmetric"])
def test_what_stands_out_counts_more(form):
    pool, logs = create("dpp", channels=3, form=form).double(), ((0.5, -1.0, 0.0), (0.3, 0.0, -2.0))
    with torch.no_grad():
        pool.log_alpha.copy_(torch.tensor(logs[0])), pool.log_lambda.copy_(torch.tensor(logs[1]))
    y = pool(X)
    for c in range(3):
        for i in range(2):
            for j in range(3):
                window = X[0, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten().tolist()
                mean = sum(window) / 4
                weights = []
                for v in window:
                    x = max(v - mean, 0.0) if form == "asymmetric" else v - mean
                    weights.append(exp(logs[0][c]) + sqrt(x * x + 1e-6) ** exp(logs[1][c]))
                expected = sum(w * v for w, v in zip(weights, window, strict=True)) / sum(weights)
                assert y[0, c, i, j].item() == pytest.approx(expected, abs=1e-6)


def test_no_power_or_a_large_alpha_is_average_pooling():
    mean = create("avg_pool", kernel_size=2)(X)
    for parameter, value in (("log_lambda", -inf), ("log_alpha", 30.0)):
        pool = create("dpp", channels=3).double()
        torch.nn.init.constant_(getattr(pool, parameter), value)
        assert torch.allclose(pool(X), mean)
    assert not torch.allclose(create("dpp", channels=3).double()(X), mean)


def test_other_forms_are_told():
    with pytest.raises(UsageError, match="symmetric and asymmetric"):
        create("dpp", channels=3, form="full")
