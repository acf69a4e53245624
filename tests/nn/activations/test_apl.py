import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def test_it_is_the_formula_for_each_channel():
    act = create("apl", channels=3, hinges=4).double()
    x = torch.randn(2, 3, 2, 5, dtype=torch.double) * 2
    a, b, got = act.a.tolist(), act.b.tolist(), act(x).tolist()
    for n in range(2):
        for c in range(3):
            for i in range(2):
                for j in range(5):
                    t = x[n, c, i, j].item()
                    y = max(0, t) + sum(a[c][s] * max(0, -t + b[c][s]) for s in range(4))
                    assert got[n][c][i][j] == pytest.approx(y, abs=1e-12)


@pytest.mark.parametrize(("slope", "leak"), [(0.0, 0.0), (-0.01, 0.01)])
def test_known_cases(slope, leak):
    act = create("apl", channels=1, hinges=1)
    with torch.no_grad():
        act.a.fill_(slope)
        act.b.fill_(0)
    x = torch.linspace(-3, 3, 13)[:, None]
    assert torch.allclose(act(x), torch.where(x > 0, x, leak * x))


def test_it_has_no_more_corners_than_hinges_and_one():
    act = create("apl", channels=1, hinges=3).double()
    x = torch.linspace(-3, 3, 6001, dtype=torch.double)[:, None]
    bends = act(x)[:, 0].diff().diff().abs() > 1e-9
    corners = 1 + int((bends.nonzero()[:, 0].diff() > 1).sum())  # a corner between two places bends at both
    assert 1 < corners <= 4


def test_it_starts_as_the_authors_code_does_and_stands_on_any_dimension():
    act = create("apl", channels=5000, dim=-1)
    assert act.a.shape == act.b.shape == (5000, 5)
    assert act.a.abs().max() <= 0.2 and act.a.abs().mean().item() == pytest.approx(0.1, abs=5e-3)
    assert act.b.std().item() == pytest.approx(0.5, abs=2e-2)
    assert act(torch.zeros(2, 3, 5000)).shape == (2, 3, 5000)
    with pytest.raises(UsageError, match="hinges=0"):
        create("apl", channels=3, hinges=0)
