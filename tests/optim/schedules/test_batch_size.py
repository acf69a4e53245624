import pytest
import torch

from torchatlas import get
from torchatlas.engine.errors import UsageError


def test_a_batch_k_times_as_large_has_k_times_the_rate():
    rule = get("linear_scaling_rule")
    assert rule(8192) == pytest.approx(3.2) and rule(256) == 0.1
    assert rule(64, lr=0.02, base_batch_size=32) == pytest.approx(0.04)


def test_linear_scaling_rule_makes_one_large_step_of_k_small_ones():
    """Exactly, where the gradient does not change: a linear loss."""
    rows = torch.randn(32, 3, dtype=torch.double)
    small = torch.zeros(3, dtype=torch.double)
    for batch in rows.split(8):
        small -= 0.1 * batch.mean(0)
    large = -get("linear_scaling_rule")(32, 0.1, 8) * rows.mean(0)
    assert torch.allclose(small, large)


@pytest.mark.parametrize(
    ("largest", "pairs"),
    [
        (None, [(64, 0.1), (320, 0.1), (1600, 0.1), (8000, 0.1)]),
        (512, [(64, 0.1), (320, 0.1), (512, 0.032), (512, 0.0064)]),
    ],
)
def test_batch_size_schedule_grows_the_batch_where_the_rate_would_fall(largest, pairs):
    rates = [0.1, 0.02, 0.004, 0.0008]
    got = get("batch_size_schedule")(rates, 64, largest)
    assert [batch for batch, _ in got] == [batch for batch, _ in pairs]
    assert [rate for _, rate in got] == pytest.approx([rate for _, rate in pairs])
    noise = [rate / batch for batch, rate in got]
    assert noise == pytest.approx([rate / 64 for rate in rates])


def test_wrong_options_are_refused():
    for call in (
        lambda: get("linear_scaling_rule")(0),
        lambda: get("batch_size_schedule")([0.1], 64, largest=32),
        lambda: get("batch_size_schedule")([0.1, 0.0], 64),
    ):
        with pytest.raises(UsageError):
            call()
