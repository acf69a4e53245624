import signal
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import lr_scheduler

from torchatlas.engine import stackable, stacked
from torchatlas.engine.checkpoint import Store
from torchatlas.engine.errors import Interrupted, NotFinite
from torchatlas.engine.learner import Learner, batches, mean_scores
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.randomness import generator, reseed
from torchatlas.engine.record import Record, read_record
from torchatlas.engine.stackable import ELEMENTWISE, Apart, refusal, worth_trying
from torchatlas.engine.stacked import Stack
from toys import X, Y


class Net(Learner):
    """Linear layers and a convolution, a buffer that differs by seed, a scalar weight, a second score."""

    def __init__(self, seed=0):
        super().__init__()
        self.conv = nn.Conv1d(1, 3, 5)
        self.body, self.head = nn.Linear(48, 12), nn.Linear(12, 3)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("shift", torch.full((), 0.1 * seed))

    def forward(self, x):
        hidden = self.conv(x[:, None]).flatten(1).relu()
        return self.head((self.body(hidden) + self.shift).tanh()) * self.scale

    def loss(self, player, batch):
        prediction = self(batch[0])
        right = (prediction.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(prediction, batch[1]), {"right": right}

    def scores(self, batch):
        return {"loss": F.cross_entropy(self(batch[0]), batch[1], reduction="none")}


class Noisy(Net):
    def forward(self, x):
        return super().forward(F.dropout(x, 0.2, self.training))


class Normal(Net):
    def __init__(self, seed=0):
        super().__init__()
        self.norm = nn.BatchNorm1d(20)

    def forward(self, x):
        return super().forward(self.norm(x))


class Idle(Net):
    def __init__(self, seed=0):
        super().__init__()
        self.unused = nn.Linear(2, 2)


class Two(Net):
    def turns(self, step):
        return ("all", "all")


class Rows:
    """A source whose rows differ by seed."""

    draws = False

    def __init__(self, seed, rows=150, size=32):
        self.seed, self.size = seed, size
        self.chosen = torch.randperm(200, generator=generator(seed, "split"))[:rows]
        self.steps_per_epoch = -(-rows // size)

    def batch(self, step, turn, learner):
        epoch, i = divmod(step, self.steps_per_epoch)
        order = torch.randperm(len(self.chosen), generator=generator(self.seed, epoch))
        rows = self.chosen[order[i * self.size : (i + 1) * self.size]]
        return X[rows], Y[rows]

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def loop_of(seed, folder=None, kind=Net, optimizer=torch.optim.AdamW, lr=5e-3, rows=150, **plan):
    reseed("cpu", seed, "init")
    learner = kind(seed)
    chosen = optimizer(learner.parameters(), lr=lr, weight_decay=0.05)
    kept = {}
    if folder is not None:
        folder = folder / str(seed)
        folder.mkdir(parents=True, exist_ok=True)
        kept = {"store": Store(folder / "checkpoints"), "record": Record(folder / "record.jsonl")}
    return Loop(
        learner,
        Rows(seed, rows),
        {"all": chosen},
        Plan(**{"steps": 40, "log_every": 5, "seed": seed, **plan}),
        schedules={"all": lr_scheduler.CosineAnnealingLR(chosen, 40)},
        validate=lambda kept: mean_scores(kept, batches((X, Y), 64)),
        **kept,
    )


def both(folder=None, seeds=3, rows=lambda seed: 150, **settings):
    """The same loops, run one by one and together."""
    below = (None, None) if folder is None else (folder / "apart", folder / "together")
    alone = [loop_of(seed, below[0], rows=rows(seed), **settings) for seed in range(seeds)]
    for loop in alone:
        loop.run()
    stack = Stack([loop_of(seed, below[1], rows=rows(seed), **settings) for seed in range(seeds)])
    stack.run()
    assert not stack.failed and not stack.alone  # none was given up
    return alone, stack


def numbers(tree, path=""):
    """Every number of a tree, by its place."""
    if isinstance(tree, torch.Tensor):
        return {path: tree.double()}
    if isinstance(tree, bool | str | None):
        return {path: tree}
    if isinstance(tree, int | float):
        return {path: torch.tensor(tree, dtype=torch.double)}
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return {place: value for key, item in items for place, value in numbers(item, f"{path}/{key}").items()}


def assert_same(one, other, tolerance=1e-5):
    left, right = numbers(one), numbers(other)
    assert left.keys() == right.keys()
    for place, value in left.items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(right[place], value, rtol=tolerance, atol=tolerance, msg=place)
        else:
            assert right[place] == value, place


def record_of(folder):
    return [{k: v for k, v in line.items() if k != "clock"} for line in read_record(folder / "record.jsonl")]


@pytest.mark.parametrize("plan", [{}, {"clip": 0.3, "ema": 0.9, "validate_every": 7}])
def test_together_is_the_same_as_apart(tmp_path, plan, monkeypatch):
    monkeypatch.setattr(stacked, "RARE", 12)
    alone, stack = both(tmp_path, save_every_steps=9, **plan)
    assert len(stack.graphs) == 1 and len(stack.uses) == 2  # whole batches, and the last of each epoch
    for one, other in zip(alone, stack.loops):
        assert_same(one.state(), other.state())
        assert other.best and other.done and other.best["step"] == one.best["step"]
    for seed in range(3):
        apart, together = tmp_path / "apart" / str(seed), tmp_path / "together" / str(seed)
        assert_same(record_of(apart), record_of(together))
        steps = [Store(folder / "checkpoints").steps() for folder in (apart, together)]
        assert steps[0] == steps[1] == [27, 36, 40]
    assert not torch.allclose(alone[0].learner.body.weight, alone[1].learner.body.weight)


@pytest.mark.parametrize("kind", ELEMENTWISE, ids=lambda kind: kind.__name__)
def test_every_optimizer_that_is_listed_moves_each_weight_by_itself(kind):
    def optimizer(parameters, lr, weight_decay):
        options = {"momentum": 0.9, "nesterov": True} if kind is torch.optim.SGD else {}
        decay = {} if kind is torch.optim.Rprop else {"weight_decay": weight_decay}
        return kind(parameters, lr=lr, **decay, **options)

    alone, stack = both(optimizer=optimizer, steps=12)
    for one, other in zip(alone, stack.loops):
        assert_same(one.state(), other.state(), 1e-4 if kind is torch.optim.Rprop else 1e-5)


def test_a_fused_optimizer(tmp_path):
    def optimizer(parameters, **options):
        return torch.optim.Adam(parameters, fused=True, amsgrad=True, **options)

    alone, stack = both(optimizer=optimizer)
    for one, other in zip(alone, stack.loops):
        assert_same(one.state(), other.state())


def test_batches_of_other_sizes_are_taken_one_by_one():
    alone, stack = both(rows=lambda seed: 130 + seed, steps=23)  # the last batch of each epoch
    assert list(stack.uses.values()) == [18]
    for one, other in zip(alone, stack.loops):
        assert_same(one.state(), other.state())


def test_a_run_that_stops_early_leaves_the_others(monkeypatch):
    monkeypatch.setattr(stacked, "RARE", 0)
    alone, stack = both(seeds=6, patience=2, validate_every=3, steps=80, lr=0.05)
    stops = [loop.step for loop in alone]
    assert sum(step < 80 for step in stops) >= 3, "most must stop early for this test to say something"
    widths = [form[0] for form in stack.graphs]
    assert widths[0] == 6 and widths[-1] <= 3  # a few idle slots go along, many do not
    for one, other in zip(alone, stack.loops):
        assert one.stopped == other.stopped
        assert_same(one.state(), other.state())
        for p in other.learner.parameters():  # its memory is its own
            assert p.untyped_storage().nbytes() == 4 * p.numel()


class Breaks(Net):
    """For seed 1, some batches have the logarithm of a negative number."""

    def loss(self, player, batch):
        loss, logs = super().loss(player, batch)
        return loss + 0 * torch.log(batch[0][0, 0] + 1.5 + 500 * (self.shift - 0.1) ** 2), logs


def test_one_run_that_is_not_finite_leaves_before_its_weights_move(tmp_path):
    apart = loop_of(1, tmp_path / "apart", kind=Breaks)
    with pytest.raises(NotFinite) as wrong:
        apart.run()
    stack = Stack([loop_of(seed, tmp_path, kind=Breaks) for seed in range(3)])
    stack.run()
    failed = stack.loops[1]
    assert list(stack.failed) == [failed] and isinstance(stack.failed[failed], NotFinite)
    assert failed.step == apart.step > 0 and str(stack.failed[failed]) == str(wrong.value)
    assert_same(apart.learner.state_dict(), failed.learner.state_dict())
    for seed in (0, 2):
        one = loop_of(seed, kind=Breaks)
        one.run()
        assert_same(one.learner.state_dict(), stack.loops[seed].learner.state_dict())


def test_what_goes_wrong_with_one_does_not_touch_the_others():
    loops = [loop_of(seed) for seed in range(3)]

    def full(event):
        if event.kind == "train" and event.step == 20:
            raise OSError("the disk is full")

    loops[2].listeners.append(full)
    stack = Stack(loops)
    stack.run()
    assert {loop.plan.seed: str(error) for loop, error in stack.failed.items()} == {2: "the disk is full"}
    assert [loop.step for loop in loops] == [40, 40, 20]


def test_a_signal_ends_all_at_a_checkpoint_and_they_go_on_together(tmp_path):
    whole = [loop_of(seed) for seed in range(3)]
    Stack(whole).run()
    broken = [loop_of(seed, tmp_path) for seed in range(3)]
    broken[0].listeners.append(
        lambda event: (
            signal.raise_signal(signal.SIGTERM) if (event.kind, event.step) == ("train", 15) else None
        )
    )
    stack = Stack(broken)
    stack.run()
    assert {type(error) for error in stack.failed.values()} == {Interrupted} and len(stack.failed) == 3
    again = [loop_of(seed, tmp_path) for seed in range(3)]
    assert all(loop.resume() for loop in again) and {loop.step for loop in again} == {15}
    stack = Stack(again)
    stack.run()
    assert not stack.failed and not stack.alone
    for one, other in zip(whole, again):
        assert_same(one.learner.state_dict(), other.learner.state_dict())


def test_loops_that_differ_in_more_than_their_seeds_are_refused():
    ahead = loop_of(1)
    ahead._one_step()
    for other, what in ((ahead, "step"), (loop_of(1, clip=1.0), "plan"), (loop_of(1, rows=170), "epoch")):
        with pytest.raises(Apart, match=f"they differ in their {what}"):
            Stack([loop_of(0), other])


def test_what_cannot_be_trained_together_is_refused_in_words():
    def with_plan(**plan):
        loop = loop_of(0)
        loop.plan = replace(loop.plan, **plan)
        return loop

    def with_schedule():
        loop = loop_of(0)
        loop.schedules = {"all": lr_scheduler.ReduceLROnPlateau(loop.optimizers["all"])}
        return loop

    refused = {
        "several players": loop_of(0, kind=Two),
        "moves buffers": loop_of(0, kind=Counting),
        "each weight by itself": loop_of(0, optimizer=Own),
        "its own scores": with_schedule(),
        "budget is time": with_plan(minutes=1.0),
        "batches are cut": with_plan(micro=2),
    }
    for why, loop in refused.items():
        assert why in refusal(loop)
        with pytest.raises(Apart, match=why):
            Stack([loop, loop])
    assert not refusal(loop_of(0))


class Counting(Net):
    def updated(self, player, step):
        self.shift += 1


class Own(torch.optim.AdamW):
    """One that torch.optim does not have: its step might mix the weights."""


def test_worth_trying_only_where_much_is_to_win(monkeypatch):
    with pytest.raises(Apart, match="short"):
        worth_trying(loop_of(0), 3)
    monkeypatch.setattr(stackable, "WORTH", 0.0)
    worth_trying(loop_of(0), 3)
    with pytest.raises(Apart, match="buffers move"):
        worth_trying(loop_of(0, kind=Normal), 3)
    with pytest.raises(Apart, match="get no gradient"):
        worth_trying(loop_of(0, kind=Idle), 3)


class Remembers(Net):
    """Its state is no buffer, so that all would share that of the first."""

    def __init__(self, seed=0):
        super().__init__(seed)
        self.factor = 1.0 + seed

    def loss(self, player, batch):
        loss, logs = super().loss(player, batch)
        return self.factor * loss, logs


@pytest.mark.parametrize(
    ("kind", "why"), [(Noisy, "many nets at once .*andom"), (Remembers, "are not those of the runs alone")]
)
def test_gradients_that_would_not_be_the_same_are_noticed(kind, why):
    with pytest.raises(Apart, match=why):
        Stack([loop_of(seed, kind=kind) for seed in range(3)]).measured()


@pytest.mark.parametrize("together", [1.0, 3.0])
def test_it_is_measured_and_leaves_no_trace(monkeypatch, together):
    def timed(loop, work):
        many = isinstance(work(), list)
        return 2.0 if many else together

    monkeypatch.setattr(stacked, "seconds_of", timed)
    loops = [loop_of(seed) for seed in range(3)]
    stack = Stack(loops)
    if together == 1.0:
        assert stack.measured() == 2.0
    else:
        with pytest.raises(Apart, match=r"0\.67 times as fast"):
            stack.measured()
    for seed, loop in enumerate(loops):
        fresh = loop_of(seed)
        assert_same(fresh.state(), loop.state(), 0)
        if together == 3.0:  # they are on their own again
            loop.run()
            fresh.run()
            assert_same(fresh.learner.state_dict(), loop.learner.state_dict(), 0)
