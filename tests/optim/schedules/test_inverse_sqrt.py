import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def rates(steps, first, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=first)
    schedule = create("lr_inverse_sqrt", optimizer, **options)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_the_paper_s_rate():
    d, w = 512, 7
    expected = [d**-0.5 * min(t**-0.5, t * w**-1.5) for t in range(1, 31)]
    assert rates(30, 1.0, warmup=w, width=d) == pytest.approx(expected, rel=1e-12)
    assert max(expected) == pytest.approx((d * w) ** -0.5)


def test_the_peak_is_the_optimizer_s_own_rate():
    found = rates(40, 0.3, warmup=10)
    assert found[9] == pytest.approx(0.3) == pytest.approx(max(found))
    assert found[0] == pytest.approx(0.03) and found[39] == pytest.approx(0.15)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="warmup"):
        rates(1, 0.1, warmup=0)
