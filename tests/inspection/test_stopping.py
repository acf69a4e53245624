import pytest

from torchatlas.engine.errors import UsageError
from torchatlas.inspection import early_stopping

CURVE = (1.0, 0.8, 0.6, 0.7, 0.65, 0.9, 0.5, 0.95)


def test_patience_counts_epochs_without_a_new_best():
    assert early_stopping(CURVE, limit=3) == early_stopping(CURVE, "patience", 3)
    found = early_stopping(CURVE, limit=3)
    assert (found.at, found.best) == (5, 2)  # epochs 3, 4 and 5 brought nothing
    found = early_stopping(CURVE, limit=4)
    assert (found.at, found.best) == (None, 6)


def test_lost_generality_is_in_hundredths_of_the_best():
    found = early_stopping(CURVE, "loss", 20)  # 0.7 is 16.7 above 0.6, 0.9 is 50
    assert (found.at, found.best) == (5, 2)
    assert early_stopping(CURVE, "loss", 16).at == 3
    assert early_stopping(CURVE, "loss", 90).at is None
    assert early_stopping((0.0, 0.1), "loss", 1000).at == 1


def test_rises_are_counted_strip_by_strip():
    curve = (5, 4, 3, 3.5, 1, 3.7, 1, 3.8, 9, 3.75)  # every second one: 4, 3.5, 3.7, 3.8, 3.75
    assert early_stopping(curve, "rises", 1, strip=2).at == 5
    assert early_stopping(curve, "rises", 2, strip=2).at == 7
    assert early_stopping(curve, "rises", 3, strip=2).at is None


def test_progress_weighs_what_is_lost_by_what_training_still_gains():
    valid = (1.0, 0.5, 0.6, 0.7, 0.8, 0.8)
    train = (1.0, 0.5, 0.4, 0.2, 0.1, 0.1)
    # strips of two end at 1 (GL 0), 3 (GL 40, P 1000 (0.3 / 0.2 - 1) = 500) and 5 (GL 60, P 0)
    assert early_stopping(valid, "progress", 0.07, train, 2).at == 3
    assert early_stopping(valid, "progress", 0.09, train, 2).at == 5
    with pytest.raises(UsageError, match="training error"):
        early_stopping(valid, "progress", 1.0)
    with pytest.raises(UsageError, match="criterion"):
        early_stopping(valid, "hope")


def test_steps_stopped_early_are_a_filter_of_singular_values():
    """Descent on least squares for t steps shrinks each direction by 1 - (1 - η s²)^t, as a penalty would."""
    torch = pytest.importorskip("torch")
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(8, k, generator=draw, dtype=torch.double) for k in (3, 1))
    w, rate, steps = torch.zeros(3, 1, dtype=torch.double), 0.01, 25
    for _ in range(steps):
        w -= rate * x.T @ (x @ w - y)
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    expected = vt.T @ (((1 - (1 - rate * s**2) ** steps) / s)[:, None] * (u.T @ y))
    assert (w - expected).abs().max() < 1e-12
