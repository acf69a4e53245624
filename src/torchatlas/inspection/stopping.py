"""When to stop: criteria on the errors of a run, as it goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..cards.card import method
from ..engine.errors import UsageError

CRITERIA = ("patience", "loss", "progress", "rises")


@dataclass(frozen=True)
class Stop:
    """Where a run would stop, None for not at all, and the best epoch until then, whose weights count."""

    at: int | None
    best: int


@method(
    "early_stopping",
    year=1998,
    paper="Prechelt, Neural Networks: Tricks of the Trade",
    topics=("regularization", "optimization"),
)
def early_stopping(
    valid: Sequence[float],
    criterion: str = "patience",
    limit: float = 5,
    train: Sequence[float] = (),
    strip: int = 5,
) -> Stop:
    r"""Early stopping: the epoch at which a validation error says that training should end; epochs from 0.

    "patience": `limit` epochs brought no new best; what `train --set patience=` does to a run. Prechelt's,
    with E the validation error and $E^*$ the best so far:
    "loss", $GL = 100 (\frac{E}{E^*} - 1)$ is above `limit`;
    "progress", $\frac{GL}{P}$ is, with $P = 1000 (\frac{\text{mean}}{\text{min}} - 1)$ of the training errors
    of the last `strip` epochs, looked at at the end of each strip (no progress at all counts as infinite);
    "rises", the error at the end of a strip was above that of the strip before, `limit` times in a row.
    In every case the weights of the best epoch are the run's result.
    Raises UsageError for another criterion, a strip below 1, and "progress" without as many training errors.
    """
    if criterion not in CRITERIA or strip < 1:
        raise UsageError(f"criterion is one of {', '.join(CRITERIA)}, not {criterion!r}; strip at least 1")
    if criterion == "progress" and len(train) < len(valid):
        raise UsageError("the criterion 'progress' needs the training error of each epoch")
    best, rises = 0, 0
    for epoch, error in enumerate(valid):
        best = epoch if error < valid[best] else best
        ends = (epoch + 1) % strip == 0
        if ends and epoch >= strip:
            rises = rises + 1 if error > valid[epoch - strip] else 0
        lost = 100 * (error / valid[best] - 1) if valid[best] else (0.0 if error == 0 else float("inf"))
        stops = {
            "patience": epoch - best >= limit,
            "loss": lost > limit,
            "progress": criterion == "progress"
            and ends
            and lost > limit * _progress(train[epoch + 1 - strip : epoch + 1]),
            "rises": ends and rises >= limit,
        }
        if stops[criterion]:
            return Stop(epoch, best)
    return Stop(None, best)


def _progress(errors: Sequence[float]) -> float:
    """How much training errors still fall within a strip, in thousandths."""
    least = min(errors)
    return 1000 * (sum(errors) / (len(errors) * least) - 1) if least else 0.0
