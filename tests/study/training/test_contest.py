import itertools
import math
import random

import pytest

from torchatlas.engine.numerics import EXACT, Numerics
from torchatlas.study.training.contest import LEAST, LOOK, MARGIN, SHARE, Contest, Grid, differences

BF16, LAST, ONE = Numerics(bfloat16=True), Numerics(channels_last=True), Numerics(threads=1)
BOTH = Numerics(bfloat16=True, channels_last=True)


class Clock:
    """Time passes as steps are made, and not otherwise."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """Steps that take a stated time and have stated losses; the first of a compiled one takes longer."""

    def __init__(self, clock, seconds, loss, first=None, noise=lambda: 1.0):
        self.clock, self.seconds, self.loss, self.first, self.noise = clock, seconds, loss, first, noise
        self.losses = {"loss": []}

    def run(self, count):
        began, noise = self.clock.now, self.noise()
        for _ in range(count):
            self.losses["loss"].append(self.loss(len(self.losses["loss"])))
            self.clock.now += self.first or noise * self.seconds
            self.first = None
        return self.clock.now - began


def falling(step):
    return 2.0 / (1 + step)


def contest(costs, losses=None, total=10_000, compiling=20.0, noise=lambda: 1.0, **words):
    """A contest in which numerics take `costs` seconds a step; those not named cannot be computed."""
    clock, made = Clock(), []

    def rehearse(numerics):
        made.append(numerics)
        if numerics not in costs:
            raise RuntimeError("no such kernel\nand more")
        first = compiling if numerics.compiled else None
        return Fake(clock, costs[numerics], (losses or {}).get(numerics, falling), first, noise)

    found = Contest(rehearse, total, clock=clock, **words)
    found.made = made
    return found


def told(found):
    return {str(row.numerics): row.told for row in found.rows}


def spent(found):
    return found.clock() - found.began


def test_the_fastest_wins_and_the_table_tells_why():
    found = contest({EXACT: 0.1, BF16: 0.06, LAST: 0.09, BOTH: 0.04})
    won = found.run(Grid([BOTH, BF16, LAST]))
    assert won.numerics == BOTH
    assert won.ratio == pytest.approx(0.4)
    assert told(found) == {
        "exact": "slower",
        str(BOTH): "chosen",
        "bfloat16": "slower",
        "channels_last": "slower",
    }
    rows = [row.row(found.step) for row in found.rows]
    assert rows[1]["times_as_fast"] == 2.5 and rows[1]["ms"] == 40 and rows[1]["loss_differs"] == 0
    assert [row["times_as_fast"] for row in rows] == [1.0, 2.5, 1.667, 1.111]
    assert spent(found) <= SHARE * 1000


@pytest.mark.parametrize("order", list(itertools.permutations([BOTH, BF16, LAST])))
def test_the_order_does_not_matter(order):
    found = contest({EXACT: 0.1, BF16: 0.06, LAST: 0.09, BOTH: 0.04})
    assert found.run(Grid(order)).numerics == BOTH


@pytest.mark.parametrize(
    "loss",
    [
        lambda step: falling(step) + 0.015,
        lambda step: falling(step) + 0.1 * ((step == 5) - (step == 6)),
        lambda step: falling(step) if step < 6 else math.nan,
        lambda step: math.inf,
    ],
    ids=["all a little", "one by much and back", "not a number later", "infinite"],
)
def test_another_course_of_the_loss_is_out(loss):
    found = contest({EXACT: 0.1, BF16: 0.01, LAST: 0.08}, {BF16: loss})
    assert found.run(Grid([BF16, LAST])).numerics == LAST
    assert told(found)["bfloat16"] == "its loss differs"


def test_rounding_is_no_other_course():
    def rounded(step):
        return falling(step) * (1 + 0.004 * (-1) ** step)

    found = contest({EXACT: 0.1, BF16: 0.05}, {BF16: rounded})
    won = found.run(Grid([BF16]))
    assert won.numerics == BF16 and 0 < won.step < 0.05


def test_what_fails_is_out_and_told():
    found = contest({EXACT: 0.1, LAST: 0.05})
    assert found.run(Grid([BF16, LAST])).numerics == LAST
    assert told(found)["bfloat16"] == "failed: no such kernel"


def test_what_float32_raises_is_raised():
    with pytest.raises(RuntimeError, match="no such kernel"):
        contest({BF16: 0.1}).run(Grid([BF16]))


def test_little_is_not_worth_another_rounding():
    found = contest({EXACT: 0.1, BF16: 0.1 * (1 - MARGIN / 2)})
    assert found.run(Grid([BF16])).numerics == EXACT
    assert told(found) == {"exact": "chosen", "bfloat16": "hardly faster"}
    found = contest({EXACT: 0.1, LAST: 0.1 * (1 - MARGIN / 2)})  # as coarse, and yet another run
    assert found.run(Grid([LAST])).numerics == EXACT
    found = contest({EXACT: 0.1, BF16: 0.049, ONE: 0.05})
    assert found.run(Grid([BF16, ONE])).numerics == ONE


def test_nothing_is_tried_in_a_short_run():
    steps = round(LEAST / SHARE / 0.1)
    found = contest({EXACT: 0.1, BF16: 0.01}, total=steps - 1)
    assert found.run(Grid([BF16])).numerics == EXACT
    assert found.is_short and found.made == [EXACT] and spent(found) == pytest.approx(LOOK * 0.1)
    found = contest({EXACT: 0.1, BF16: 0.01}, total=10**9, seconds=LEAST / SHARE - 1)
    assert found.run(Grid([BF16])).numerics == EXACT and found.is_short


@pytest.mark.parametrize("total", [200, 300, 500, 1000, 5000, 100_000])
@pytest.mark.parametrize("slow", [0.2, 1.0, 10.0])
def test_trying_takes_its_share_at_most(total, slow):
    costs = {EXACT: 0.2, BOTH: 0.1, BF16: slow, LAST: slow, ONE: slow}
    found = contest(costs, total=total)
    won = found.run(Grid([BOTH, BF16, LAST, ONE]))
    assert spent(found) <= SHARE * total * 0.2 + 2 * slow + 0.5  # a pair that was begun is ended
    untried = any(words == "not tried: no time was left" for words in told(found).values())
    assert untried if total <= 300 else not untried or total < 5000
    assert won.numerics == (BOTH if total >= 500 else EXACT)


def test_a_limit_holds_however_long_the_run():
    found = contest({EXACT: 1.0, BOTH: 0.9, BF16: 0.9, LAST: 0.9}, total=10**6)
    found.run(Grid([BOTH, BF16, LAST], most=30.0))
    assert spent(found) <= 32


COMPILED = {Numerics(compiled=True): 0.02, Numerics(compiled=True, bfloat16=True): 0.2}
EAGER = {EXACT: 0.1, BF16: 0.05}


def test_compilation_is_tried_of_the_two_best_where_the_run_is_long():
    found = contest(EAGER | COMPILED, total=50_000)
    won = found.run(Grid([BF16], compiles=True, compiling=20.0))
    assert won.numerics == Numerics(compiled=True)
    assert won.compiling == pytest.approx(20) and spent(found) <= SHARE * 5000
    assert told(found)["bfloat16+compiled"] == "slower"


def test_compilation_is_not_tried_where_it_would_take_too_long():
    found = contest(EAGER | COMPILED, total=5000)
    assert found.run(Grid([BF16], compiles=True, compiling=60.0)).numerics == BF16
    assert not any(numerics.compiled for numerics in found.made)
    assert told(found)["compiled"].startswith("not tried: compiling takes about 60 s, and ")


def test_the_second_compilation_is_thought_as_dear_as_the_first_was():
    found = contest(EAGER | COMPILED, total=30_000, compiling=80.0)  # a budget of 150 s
    found.run(Grid([BF16], compiles=True, compiling=20.0))
    assert [numerics for numerics in found.made if numerics.compiled] == [
        Numerics(compiled=True, bfloat16=True)
    ]
    assert told(found)["compiled"].startswith("not tried: compiling takes about 80 s")


@pytest.mark.parametrize(("shapes", "wins"), [(1, True), (5, False)])
def test_compilation_must_win_its_time_back(shapes, wins):
    costs = {EXACT: 0.1, Numerics(compiled=True): 0.09}
    found = contest(costs, total=10_000, compiling=25.0)  # 100 s are won
    won = found.run(Grid(compiles=True, compiling=25.0, shapes=shapes))
    assert won.numerics.compiled is wins
    assert wins or told(found)["compiled"] == "not so much faster that it pays for compiling"


def test_the_fused_kernel_is_left_out_where_that_is_faster():
    unfused = Numerics(bfloat16=True, fused=False)
    found = contest({EXACT: 0.1, BF16: 0.05, unfused: 0.04})
    assert found.run(Grid([BF16], unfused=True)).numerics == unfused


def test_losers_are_let_go():
    found = contest({EXACT: 0.1, BF16: 0.06, LAST: 0.09, BOTH: 0.04})
    found.run(Grid([BF16, BOTH, LAST]))
    assert [row.steps is None for row in found.rows] == [False, True, False, True]


EVERY = [
    Numerics(channels_last=a, bfloat16=b, threads=c)
    for c in (None, 1)
    for b in (True, False)
    for a in (True, False)
]


@pytest.mark.parametrize(
    ("spread", "noise", "least", "usual"),
    [(0.5, 0.0, 0.95, 0.98), (0.1, 0.0, 0.95, 0.98), (0.1, 0.1, 0.88, 0.985)],
)
def test_at_least_95_percent_of_the_best_cell(spread, noise, least, usual):
    draw, shares = random.Random(0), []
    for _ in range(50):
        costs = {numerics: 0.02 * math.exp(draw.gauss(0, spread)) for numerics in EVERY}
        found = contest(costs, total=40_000, noise=lambda: math.exp(draw.gauss(0, noise)))
        won = found.run(Grid([n for n in EVERY if n != EXACT]))
        shares.append(min(costs.values()) / costs[won.numerics])
    assert min(shares) >= least and sum(shares) / len(shares) >= usual


def test_differences_by_hand():
    assert differences({"loss": [2.0, 1.0]}, {"loss": [2.1, 0.9]}) == pytest.approx((0.0, 0.1 / 1.5))
    two = ({"a.loss": [1.0], "b.loss": [-4.0, 9.0]}, {"a.loss": [1.1], "b.loss": [-4.8]})
    assert differences(*two) == pytest.approx((-0.2, 0.2))
    assert differences({"a": [1.0], "b": [1.0]}, {"a": [1.0]}) == (0, 0)
    assert differences({"loss": [1.0]}, {"loss": [math.nan]}) == (math.inf, math.inf)
    with pytest.raises(ValueError, match="no loss"):
        differences({"loss": [1.0]}, {})
