"""The scores of a test part, by scikit-learn's functions, per task; a task's first is what is compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import metrics as sk

from ...data.spec import Spec
from ...engine.errors import UsageError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Score:
    """A score of (truth, prediction); `sample` gives it per sample where it is a mean over samples."""

    function: Callable[[Array, Array], float]
    higher_is_better: bool
    sample: Callable[[Array, Array], Array] | None = None


def _hit(y: Array, p: Array) -> Array:
    return (p.argmax(1) == y).astype(float)


def _log_loss(y: Array, p: Array) -> Array:
    chosen = np.take_along_axis(p, y[:, None], 1)[:, 0]
    return -np.log(np.clip(chosen, np.finfo(p.dtype).tiny, 1))


def _label_loss(y: Array, p: Array) -> Array:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean(1)


def _classes(p: Array) -> list[int]:
    return list(range(p.shape[1]))


def _balanced(y: Array, p: Array) -> float:
    return float(sk.recall_score(y, p.argmax(1), labels=np.unique(y), average="macro", zero_division=0.0))


SCORES: dict[str, dict[str, Score]] = {
    "classification": {
        "accuracy": Score(lambda y, p: float(_hit(y, p).mean()), True, _hit),
        "balanced_accuracy": Score(_balanced, True),
        "macro_f1": Score(
            lambda y, p: float(
                sk.f1_score(y, p.argmax(1), labels=_classes(p), average="macro", zero_division=0.0)
            ),
            True,
        ),
        "log_loss": Score(lambda y, p: float(_log_loss(y, p).mean()), False, _log_loss),
    },
    "regression": {
        "rmse": Score(lambda y, p: float(np.sqrt(((y - p) ** 2).mean())), False),
        "mae": Score(lambda y, p: float(np.abs(y - p).mean()), False, lambda y, p: np.abs(y - p).mean(1)),
        "mse": Score(lambda y, p: float(((y - p) ** 2).mean()), False, lambda y, p: ((y - p) ** 2).mean(1)),
        "r2": Score(lambda y, p: float(sk.r2_score(y, p)), True),
    },
    "multilabel": {
        "macro_f1": Score(
            lambda y, p: float(sk.f1_score(y, p > 0.5, average="macro", zero_division=0.0)), True
        ),
        "label_accuracy": Score(
            lambda y, p: float(((p > 0.5) == y).mean()), True, lambda y, p: ((p > 0.5) == y).mean(1)
        ),
        "exact_match": Score(
            lambda y, p: float(((p > 0.5) == y).all(1).mean()),
            True,
            lambda y, p: ((p > 0.5) == y).all(1).astype(float),
        ),
        "log_loss": Score(lambda y, p: float(_label_loss(y, p).mean()), False, _label_loss),
    },
}


def main_score(spec: Spec, wish: str | None = None) -> str:
    """The score that methods are compared by: the wish, or the task's first."""
    if spec.task not in SCORES:
        return "loss"
    known = SCORES[spec.task]
    if wish is not None and wish not in known:
        raise UsageError(f"{spec.task} has no metric {wish!r}; it has {', '.join(known)}")
    return wish or next(iter(known))


HIGHER = frozenset({"accuracy", "return"})  # of the scores that learners give themselves


def higher_is_better(spec: Spec, name: str) -> bool:
    """Whether more of a score is better."""
    score = SCORES.get(spec.task, {}).get(name)
    return score.higher_is_better if score else name in HIGHER


def score_all(spec: Spec, y: Array, p: Array) -> dict[str, float]:
    """Every score of the task; y and p on the original scale, p as (n, outputs)."""
    return {name: score.function(y, p) for name, score in SCORES[spec.task].items()}
