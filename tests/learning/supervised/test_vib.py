import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.learning.supervised import VIB
from torchatlas.learning.supervised.vib import divergence

TABLE = Spec("table", (4,), "classification", 3)
X, Y = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3


def test_the_divergence_is_that_of_normals():
    mean, spread = torch.randn(5, 3, dtype=torch.double), torch.rand(5, 3, dtype=torch.double) + 0.1
    expected = kl_divergence(Normal(mean, spread), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, spread), expected)
    assert divergence(torch.zeros(2, 3), torch.ones(2, 3)).tolist() == [0, 0]
    by_hand = 0.5 * (0.3**2 + 0.5**2 - math.log(0.5**2) - 1)
    assert divergence(torch.tensor([[0.3]]), torch.tensor([[0.5]])).item() == pytest.approx(by_hand)
    assert divergence(torch.zeros(1, 1), torch.zeros(1, 1)).isfinite().all()


def test_the_loss_is_that_of_a_drawn_code_and_its_price():
    torch.manual_seed(0)
    made = VIB.for_data(TABLE, code=5, beta=0.7)
    torch.manual_seed(3)
    loss = made.loss("all", (X, Y)).item()
    torch.manual_seed(3)
    noise = torch.randn(6, 5)
    out, head = made.network.encoder(X).tolist(), made.network.head
    total = 0.0
    for i in range(6):
        mean, spread = out[i][:5], [math.log1p(math.exp(s - 5)) for s in out[i][5:]]
        code = torch.tensor([m + s * e for m, s, e in zip(mean, spread, noise[i].tolist(), strict=True)])
        z = head(code).tolist()
        price = sum(0.5 * (m * m + s * s - math.log(s * s) - 1) for m, s in zip(mean, spread, strict=True))
        total += math.log(sum(math.exp(v) for v in z)) - z[int(Y[i])] + 0.7 * price
    assert loss == pytest.approx(total / 6, rel=1e-5)


def test_predictions_draw_nothing_and_weights_count():
    made = VIB.for_data(TABLE, code=5).eval()
    assert torch.equal(made.predict(X), made.predict(X))
    weight = torch.tensor([1.0, 0.0, 2.0, 3.0, 1.0, 0.0])
    rows = torch.arange(6).repeat_interleave(weight.long())
    torch.testing.assert_close(made.loss("all", (X, Y, weight)), made.loss("all", (X[rows], Y[rows])))
    for wrong in ({"code": 0}, {"beta": -1.0}):
        with pytest.raises(UsageError):
            VIB.for_data(TABLE, **wrong)
