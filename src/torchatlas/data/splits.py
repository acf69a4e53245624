"""Splits: which rows are trained on, validated on and tested on, as a function of the seed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.errors import DataError, UsageError
from ..engine.randomness import key_seed
from .reading import did_you_mean
from .spec import Dataset
from .targets import as_frame

WAYS = ("auto", "random", "stratified", "classes", "group", "time")
Rows = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, sorted, with notes on how they were drawn."""

    train: Rows
    valid: Rows
    test: Rows
    notes: list[str] = field(default_factory=list)


def split(
    dataset: Dataset,
    *,
    seed: int,
    test: float = 0.2,
    valid: float = 0.15,
    way: str = "auto",
    fold: tuple[int, int] | None = None,
) -> Split:
    """Draw the parts: `test` is a share of all rows, `valid` a share of those left (0: no such part).

    "auto" is by group or by time where the data names a column for it, else random. "random" gives every part
    the same share of each class where there are classes; "stratified" insists on classes; "classes" keeps
    each class whole, so that validation and test show classes that training did not. An official test
    part stays as it is. `fold=(k, of)` makes the test part fold k of `of` (k from 0) of a partition that
    depends on the seed alone.
    """
    way = _way(dataset, way)
    _refuse_shares(test, valid)
    notes: list[str] = []
    if dataset.group is not None and way not in ("group", "classes"):
        notes.append(f"the split is {way}: rows of one group may be in several parts")
    rows = np.arange(len(dataset))
    draw = _Draw(dataset, way, seed, notes)
    if fold is not None:
        rest, tested = draw.fold(rows, *fold)
        if len(dataset.test):
            notes.append("the folds mix the official test part with the training part")
    elif len(dataset.test):
        tested = np.sort(np.asarray(dataset.test))
        rest = np.setdiff1d(rows, tested)
    else:
        rest, tested = draw.two(rows, test, "test")
    train, validated = draw.two(rest, valid, "valid")
    if len(train) == 0:
        raise DataError(
            f"{dataset.name} has {len(dataset)} rows: none is left for training; test and valid are too large"
        )
    return Split(train, validated, tested, notes)


def balanced_rows(dataset: Dataset, rows: Rows, count: int, seed: int) -> Rows:
    """`count` of the rows, as many of each class as can be, drawn by the seed."""
    if not 0 < count <= len(rows):
        raise UsageError(f"labels={count}: the training part has {len(rows):,} rows")
    draw = np.random.default_rng(key_seed(seed, "labels"))
    classes = np.zeros(len(rows), dtype=np.int64)
    if dataset.task == "classification":
        classes = as_frame(dataset.target).iloc[rows, 0].factorize()[0]
    shuffled = draw.permutation(len(rows))
    turn = np.empty(len(rows), dtype=np.int64)  # the first of each class, then the second of each …
    for c in np.unique(classes):
        mine = shuffled[classes[shuffled] == c]
        turn[mine] = np.arange(len(mine))
    order = shuffled[np.argsort(turn[shuffled], kind="stable")]
    taken: Rows = np.sort(rows[order[:count]])
    return taken


def _way(dataset: Dataset, way: str) -> str:
    if way not in WAYS:
        raise UsageError(f"there is no split {way!r}{did_you_mean(way, WAYS)} (splits: {', '.join(WAYS)})")
    if way == "auto" and dataset.group is not None and dataset.time is not None:
        raise UsageError(
            "a split goes by group or by time, and both were said: leave one of them out, "
            "or say split=group or split=time"
        )
    if way == "auto":
        return "group" if dataset.group is not None else "time" if dataset.time is not None else "random"
    if way in ("group", "time") and getattr(dataset, way) is None:
        raise UsageError(f"a split by {way} needs the column that holds it: say {way}=COLUMN")
    if way in ("stratified", "classes") and dataset.task != "classification":
        raise UsageError(
            f"a split of kind {way} needs classes, but the task is {dataset.task}; say split=random"
        )
    return way


def _refuse_shares(test: float, valid: float) -> None:
    for name, share in (("test", test), ("valid", valid)):
        if not 0 <= share < 1:
            raise UsageError(f"{name}={share} must be a share of the rows: at least 0 and less than 1")


class _Draw:
    """Cuts of rows in one way, each from a generator keyed by the seed and the cut's name."""

    def __init__(self, dataset: Dataset, way: str, seed: int, notes: list[str]):
        self.way, self.seed, self.notes = way, seed, notes
        self.group, self.time = dataset.group, dataset.time
        self.labels = np.zeros(len(dataset), dtype=np.int64)
        if dataset.task == "classification":
            self.labels = as_frame(dataset.target).iloc[:, 0].factorize()[0]
        if way == "classes":
            self.way, self.group = "group", self.labels

    def two(self, rows: Rows, share: float, name: str) -> tuple[Rows, Rows]:
        """Rows in two: (rest, taken), where taken is about `share` of them."""
        count = round(share * len(rows))
        if share == 0:
            return rows, rows[:0]
        if count == 0 or count == len(rows):
            raise DataError(
                f"{len(rows)} rows are too few for a {name} part of {share:.0%}; say {name}=0 or add rows"
            )
        if self.way == "time":
            taken = self._latest(rows, count)
        elif self.way == "group":
            taken = self._groups(rows, share, name)
        else:
            taken = self._shares(rows, count, name)
        return np.setdiff1d(rows, taken), np.sort(taken)

    def fold(self, rows: Rows, k: int, of: int) -> tuple[Rows, Rows]:
        """Fold `k` of `of` as the second part."""
        from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

        if not (2 <= of <= len(rows) and 0 <= k < of):
            raise UsageError(f"fold=({k}, {of}): the first must be 0..{of - 1}, the second 2..{len(rows)}")
        if self.way == "time":
            raise UsageError(
                "folds and a split by time do not go together: each fold would learn from later rows"
            )
        state = key_seed(self.seed, "fold") % 2**32
        several = self.labels.any()
        if self.way == "group":
            assert self.group is not None
            if len(np.unique(self.group.astype(str))) < of:
                raise DataError(f"there are fewer groups than the {of} folds")
            folds: Any = StratifiedGroupKFold if several else GroupKFold
        else:
            folds = StratifiedKFold if several and np.bincount(self.labels).min() >= of else KFold
            if several and folds is KFold:
                self.notes.append(f"a class has fewer than {of} samples, so the folds are not stratified")
        cuts = folds(of, shuffle=True, random_state=state).split(rows, self.labels, self.group)
        rest, taken = list(cuts)[k]
        return rows[rest], rows[taken]

    def _generator(self, name: str) -> np.random.Generator:
        return np.random.default_rng(key_seed(self.seed, "split", name))

    def _latest(self, rows: Rows, count: int) -> Rows:
        assert self.time is not None
        times: Rows = self.time[rows]
        first = np.sort(times)[len(rows) - count]
        taken: Rows = rows[times >= first]  # rows of one moment stay together
        if len(taken) == len(rows):
            taken = rows[times > first]
        if len(taken) == 0:
            raise DataError("all rows have the same time, so they cannot be split by it")
        note = "the split by time is the same for every seed"
        if note not in self.notes:
            self.notes.append(note)
        return taken

    def _groups(self, rows: Rows, share: float, name: str) -> Rows:
        assert self.group is not None
        numbers, names = _factorized(self.group[rows])
        if len(names) < 2:
            raise DataError(f"there is only one group left for the {name} part; say {name}=0 or add groups")
        order = self._generator(name).permutation(len(names))
        sizes = np.bincount(numbers)[order].cumsum()
        chosen = int(np.abs(sizes[:-1] - share * len(rows)).argmin()) + 1
        taken: Rows = rows[np.isin(numbers, order[:chosen])]
        return taken

    def _shares(self, rows: Rows, count: int, name: str) -> Rows:
        """The same share of each class, by the largest remainders; a class of one row stays in training."""
        generator = self._generator(name)
        numbers, names = _factorized(self.labels[rows])
        sizes = np.bincount(numbers)
        wanted = sizes * (count / len(rows))
        quota = np.floor(wanted).astype(np.int64)
        room = (quota < sizes - (len(names) > 1)).astype(float)
        ties = generator.permutation(len(names))
        for number in sorted(ties, key=lambda n: quota[n] - wanted[n]):
            if quota.sum() < count and room[number]:
                quota[number] += 1
        bare = int(((quota == 0) & (sizes > 0)).sum())
        if bare and len(names) > 1:
            self.notes.append(f"{bare} of {len(names)} classes have too few samples to be in the {name} part")
        shuffled = generator.permutation(len(rows))
        order = shuffled[np.argsort(numbers[shuffled], kind="stable")]
        starts = np.cumsum(sizes) - sizes
        taken: Rows = rows[np.concatenate([order[s : s + q] for s, q in zip(starts, quota, strict=True)])]
        return taken


def _factorized(values: Rows) -> tuple[Rows, Rows]:
    names, numbers = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    return numbers, names
