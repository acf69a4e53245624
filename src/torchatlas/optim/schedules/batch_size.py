"""How the batch and the rate go together: the linear rule, and batches that grow where a rate would fall."""

from collections.abc import Sequence

from ...cards.card import method
from ...engine.errors import UsageError


@method("linear_scaling_rule", kind="tool", year=2017, paper="arXiv:1706.02677", topics=("large-batch",))
def linear_scaling_rule(batch_size: int, lr: float = 0.1, base_batch_size: int = 256) -> float:
    r"""Linear scaling rule: the rate for a batch k times as large is k times the rate, $\gamma B / B_0$.

    `lr` is what `base_batch_size` is trained with. A step of the large batch then goes as far as the k small
    ones together, where the gradient does not change among them; early on it does, hence a warm-up.
    """
    if batch_size < 1 or base_batch_size < 1:
        raise UsageError(f"a batch has at least one row, not {min(batch_size, base_batch_size)}")
    return lr * batch_size / base_batch_size


@method("batch_size_schedule", kind="tool", year=2017, paper="arXiv:1711.00489", topics=("large-batch",))
def batch_size_schedule(
    rates: Sequence[float], batch_size: int, largest: int | None = None
) -> list[tuple[int, float]]:
    r"""Batch-size schedule: instead of a rate divided by q, a batch q times as large, at the same noise.

    The noise of SGD with momentum $\mu$ on $N$ rows is about $\gamma N / (B (1 - \mu))$. For rates that
    fall from the first one on, this gives pairs (batch, rate) of that noise, with the first rate as long
    as the batch is at most `largest`; what remains is taken off the rate.
    """
    if batch_size < 1 or (largest is not None and largest < batch_size):
        raise UsageError(f"the first batch has at least 1 row and at most {largest}, not {batch_size}")
    if not rates or min(rates) <= 0:
        raise UsageError("rates must be above 0, at least one of them")
    pairs = []
    for rate in rates:
        wanted = round(batch_size * rates[0] / rate)
        batch = max(1, wanted if largest is None else min(wanted, largest))
        pairs.append((batch, rate * batch / batch_size))
    return pairs
