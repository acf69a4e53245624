"""What a verdict says, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MethodScore:
    """One method's mean score over its seeds, with a 95 % interval; NaN where too few runs ended well."""

    name: str
    mean: float
    low: float
    high: float
    seeds: int  # runs that ended with a finite score
    failed: int  # runs that did not
    baseline: bool = False
    reason: str = ""  # why the first of those failed


@dataclass(frozen=True)
class Pair:
    """The difference first - second, over the seeds that both have; `real` where Holm's p is below 5 %."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    real: bool
    seeds: int


@dataclass(frozen=True)
class Verdict:
    """What a comparison shows: `methods` from best to worst (failed ones last), all tested `pairs`.

    `best` is the method with the best mean, None where none has a score; `clear` says that it was shown to
    be better than every other. `test` names the test and `covers` says in words what its intervals cover.
    """

    metric: str
    higher_is_better: bool
    methods: tuple[MethodScore, ...]
    pairs: tuple[Pair, ...]
    best: str | None
    clear: bool
    test: str
    covers: str
    sentence: str

    def method(self, name: str) -> MethodScore | None:
        """The score of a method, None where it was not compared."""
        return next((m for m in self.methods if m.name == name), None)

    def pair(self, first: str, second: str) -> Pair | None:
        """The pair read as first - second, whichever way round it was tested."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair
            if (pair.first, pair.second) == (second, first):
                return _reversed(pair)
        return None


def _reversed(pair: Pair) -> Pair:
    turned = {"first": pair.second, "second": pair.first, "difference": -pair.difference}
    return Pair(**{**vars(pair), **turned, "low": -pair.high, "high": -pair.low})
