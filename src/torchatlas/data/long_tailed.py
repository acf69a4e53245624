"""Long-tailed data made of balanced data: classes that shrink from the first to the last."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cards.card import method
from ..engine.errors import UsageError
from ..engine.randomness import key_seed


@method(
    "longtail_profile",
    year=2019,
    paper="arXiv:1901.05555",
    aliases=("long_tail_profile",),
    topics=("long-tail",),
)
def long_tail_profile(counts: Sequence[int], imbalance: float) -> tuple[int, ...]:
    r"""Long-tail profile: rows per class that fall by one factor from class to class.

    Class j of C, in the order of their numbers, keeps $n_j = n_{\max} f^{-j/(C-1)}$ rows, rounded down and at
    least one, where $n_{\max}$ is the largest of `counts` and f is `imbalance`, at least 1 (CIFAR-10-LT: 5000
    rows of the first class, f = 100, 50 of the last). A class never keeps more than it has.
    """
    if not (np.isfinite(imbalance) and imbalance >= 1):
        raise UsageError(f"imbalance={imbalance}: the first class has at least as many rows as the last")
    if not counts or min(counts) < 0:
        raise UsageError(f"counts says the rows of each class, so not {tuple(counts)}")
    largest, last = max(counts), max(len(counts) - 1, 1)
    # A hair above: 1000 * 100 ** -1 is 10, and must not round down to 9.
    wanted = (max(1, int(largest * imbalance ** (-j / last) + 1e-9)) for j in range(len(counts)))
    return tuple(min(have, want) for have, want in zip(counts, wanted))


def long_tail_rows(labels: Any, imbalance: float, seed: int) -> np.ndarray[Any, Any]:
    """The rows, in order, that a long tail keeps of data with these class numbers; by the seed, at random.

    A larger imbalance keeps some of the rows that a smaller one keeps. Raises UsageError for what is no class
    numbers (rows,).
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or not len(labels):
        raise UsageError(f"a long tail is cut from class numbers (rows,), not {labels.dtype} {labels.shape}")
    kept = []
    for number, count in enumerate(long_tail_profile(np.bincount(labels).tolist(), imbalance)):
        draw = np.random.default_rng(key_seed(seed, "long tail", number))
        kept.append(draw.permutation(np.flatnonzero(labels == number))[:count])
    return np.sort(np.concatenate(kept))
