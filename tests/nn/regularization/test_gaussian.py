import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.regularization import GaussianDropout


@pytest.mark.parametrize("p", [0.2, 0.5, 0.8])
def test_mean_and_variance_are_those_of_dropout(p):
    torch.manual_seed(0)
    x = torch.full((200_000,), -3.0, dtype=torch.double)
    y = GaussianDropout(p)(x)
    dropped = torch.nn.Dropout(p)(x)
    assert y.mean().item() == pytest.approx(-3, abs=0.05)
    assert y.var().item() == pytest.approx(9 * p / (1 - p), rel=0.03)
    assert y.var().item() == pytest.approx(dropped.var().item(), rel=0.03)
    assert y.unique().numel() > 1000


def test_evaluation_and_no_dropping_change_nothing():
    x = torch.randn(4, 5)
    assert torch.equal(GaussianDropout().eval()(x), x) and torch.equal(GaussianDropout(0.0)(x), x)
    for p in (1.0, -0.1):
        with pytest.raises(UsageError, match="share that is dropped"):
            GaussianDropout(p)
