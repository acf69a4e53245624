import filecmp
import json

import pytest
import torch
from torch import nn

from torchatlas.engine.errors import Interrupted, NotFinite
from torchatlas.engine.learner import Learner, batches, mean_scores
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.record import read_record
from toys import Classifier, Duel, Table, X, Y, make_loop, same_weights


class Killed(Exception):
    """Stands for a kill: the loop gets no chance to save."""


def record_of(folder):
    return [{k: v for k, v in line.items() if k != "clock"} for line in read_record(folder / "record.jsonl")]


def files_below(folder):
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("kind", [Classifier, Duel])
@pytest.mark.parametrize("at", [1, 17, 44])
def test_killed_and_resumed_ends_in_the_same_bytes(tmp_path, kind, at):
    settings = {"kind": kind, "micro": 2, "clip": 1.0, "ema": 0.9, "save_every_steps": 7, "log_every": 4}
    make_loop(tmp_path / "whole", **settings).run()

    broken = make_loop(tmp_path / "broken", **settings)
    source, calls = broken.source.batch, []

    def batch(step, turn, learner):
        calls.append(step)
        if step == at:
            raise Killed
        return source(step, turn, learner)

    broken.source.batch = batch
    with pytest.raises(Killed):
        broken.run()
    torch.rand(5)  # whatever happened to the global stream meanwhile
    again = make_loop(tmp_path / "broken", **settings)
    assert again.resume() == (at >= 7)
    again.run()

    whole, broken_files = (
        files_below(tmp_path / "whole" / "checkpoints"),
        files_below(tmp_path / "broken" / "checkpoints"),
    )
    assert whole == broken_files
    same, different, odd = filecmp.cmpfiles(
        tmp_path / "whole" / "checkpoints", tmp_path / "broken" / "checkpoints", whole, shallow=False
    )
    assert len(same) == len(whole) and not different and not odd
    assert record_of(tmp_path / "whole") == record_of(tmp_path / "broken")


def test_one_step_is_the_hand_written_one():
    loop = make_loop(steps=12)
    torch.manual_seed(0)
    by_hand = make_loop(steps=12)
    net, optimizer = by_hand.learner.net, by_hand.optimizers["all"]
    schedule = by_hand.schedules["all"]
    from torchatlas.engine.randomness import reseed

    for step in range(12):
        x, y = by_hand.source.batch(step, 0, by_hand.learner)
        reseed("cpu", 0, step, 0, 0, "noise")
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        schedule.step()
    loop.validate = None
    loop.run()
    assert same_weights(loop.learner, by_hand.learner)


class Quadratic(Learner):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(20))

    def loss(self, player, batch):
        return (batch[0] @ self.w - batch[1]).square().mean()


def test_micro_batches_give_the_gradient_of_the_whole():
    ends = []
    for micro in (1, 3, 200):
        torch.manual_seed(0)
        learner = Quadratic().double()
        source = Table(X.double(), Y.double(), size=200)
        Loop(
            learner, source, {"all": torch.optim.SGD(learner.parameters(), 0.1)}, Plan(steps=5, micro=micro)
        ).run()
        ends.append(learner.w.detach())
    assert torch.allclose(ends[0], ends[1], atol=1e-13) and torch.allclose(ends[0], ends[2], atol=1e-13)


def test_an_optimizer_may_call_the_closure_often():
    learner = Quadratic().double()
    optimizer = torch.optim.LBFGS(learner.parameters(), max_iter=50, line_search_fn="strong_wolfe")
    Loop(learner, Table(X.double(), Y.double(), size=200), {"all": optimizer}, Plan(steps=3)).run()
    solution = torch.linalg.lstsq(X.double(), Y.double()[:, None]).solution[:, 0]
    assert torch.allclose(learner.w, solution, atol=1e-3)


def test_clipping_bounds_the_gradient():
    learner = Quadratic()
    plan = Plan(steps=1, clip=0.01)
    Loop(learner, Table(X, Y, size=200), {"all": torch.optim.SGD(learner.parameters(), 1.0)}, plan).run()
    assert learner.w.norm().item() == pytest.approx(0.01, rel=1e-4)


def test_the_moving_average_is_the_formula():
    learner = Quadratic().double()
    seen = []
    loop = Loop(
        learner,
        Table(X.double(), Y.double()),
        {"all": torch.optim.SGD(learner.parameters(), 0.05)},
        Plan(steps=6, ema=0.8, log_every=1),
        listeners=[lambda e: seen.append(learner.w.detach().clone()) if e.kind == "train" else None],
    )
    loop.run()
    expected = torch.zeros(20, dtype=torch.double)
    for w in seen:
        expected = 0.8 * expected + 0.2 * w
    assert torch.allclose(loop.average.means[0], expected, atol=1e-14)


def test_a_player_moves_only_its_own_parameters():
    loop = make_loop(kind=Duel)
    before = {n: p.detach().clone() for n, p in loop.learner.named_parameters()}
    loop.learner.turns = lambda step: ("critic",)
    loop._one_step()
    for name, parameter in loop.learner.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith("generator")
    assert loop.learner.generator.weight.grad is None


def test_best_weights_are_kept_and_patience_ends_the_run():
    loop = make_loop(steps=500, patience=2, validate_every=5)
    values = iter([3.0, 1.0, 2.0, float("nan"), 0.5])
    weights = []

    def validate(learner):
        weights.append(learner.net[0].weight.detach().clone())
        return {"loss": next(values)}

    loop.validate = validate
    loop.run()
    assert loop.step == 20 and loop.stopped == "no improvement in 2 validations"
    loop.restore_best()
    assert torch.equal(loop.learner.net[0].weight, weights[1])


def test_the_record_tells_means_since_its_last_line(tmp_path):
    loop = make_loop(tmp_path, kind=Duel, steps=10, log_every=4)
    seen = []
    original = loop._log
    loop._log = lambda player, values: (
        seen.append((player, values["loss"].item())),
        original(player, values),
    )
    loop.run()
    lines = record_of(tmp_path)
    assert [line["step"] for line in lines] == [4, 7, 8, 10]  # every fourth, the epoch's end (7), the end
    critic = [v for p, v in seen if p == "critic"]
    assert lines[0]["critic.loss"] == pytest.approx(sum(critic[:8]) / 8, rel=1e-6)
    assert "generator.lr" in lines[0] and "critic.margin" in lines[0]
    assert json.loads((tmp_path / "record.jsonl").read_text().splitlines()[0])["clock"] > 0


@pytest.mark.parametrize(("kind", "player"), [(Classifier, "all"), (Duel, "generator"), (Duel, "critic")])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_not_finite_stops_before_the_weights_move(tmp_path, kind, player, bad):
    loop = make_loop(tmp_path, kind=kind, steps=40)
    honest = loop.learner.loss

    def loss(who, batch):
        result = honest(who, batch)
        if loop.step == 3 and who == player:
            return (result[0] if isinstance(result, tuple) else result) * bad
        return result

    loop.learner.loss = loss
    for _ in range(3):
        loop._one_step()
    start = {k: v.clone() for k, v in loop.learner.state_dict().items()}
    with pytest.raises(NotFinite, match=r"step 3: .*First at fault: \w+.*Replay.*failures/step-00000003"):
        loop._one_step()
    for name, tensor in loop.learner.state_dict().items():
        moved = kind is Duel and player == "generator" and name.startswith(("critic", "count"))
        assert moved or torch.equal(tensor, start[name]), name


def test_asked_to_stop_it_ends_at_a_checkpoint(tmp_path):
    import os
    import signal

    loop = make_loop(tmp_path, steps=50)
    loop.listeners.append(
        lambda e: os.kill(os.getpid(), signal.SIGTERM) if e.kind == "train" and e.step == 10 else None
    )
    with pytest.raises(Interrupted, match="SIGTERM after step 10"):
        loop.run()
    assert loop.store.steps() == [10]
    again = make_loop(tmp_path, steps=50)
    assert again.resume() and again.step == 10
    again.run()
    whole = make_loop(steps=50)
    whole.run()
    assert same_weights(again.learner, whole.learner)


def test_a_time_budget_ends_the_run(tmp_path):
    loop = make_loop(tmp_path, steps=10**9, minutes=0.002)
    loop.run()
    assert 0 < loop.step < 10**6 and loop.stopped == "the time is up"
    assert make_loop(tmp_path, steps=10**9, minutes=0.002).resume()


class Weighted(Quadratic):
    """Samples of unequal weight."""

    def share(self, batch):
        return batch[2].sum()

    def loss(self, player, batch):
        x, y, weight = batch
        errors = (x @ self.w - y).square()
        return (weight * errors).sum() / weight.sum(), {"worst": errors.detach().mean()}


def test_micro_batches_weigh_as_their_samples_do():
    weight = torch.rand(200, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * (X[:, 2] > 0)
    ends = []
    for micro in (1, 4):
        torch.manual_seed(0)
        learner = Weighted().double()
        source = Table(X.double(), Y.double(), weight, size=200)
        optimizer = torch.optim.SGD(learner.parameters(), 0.1)
        Loop(learner, source, {"all": optimizer}, Plan(steps=5, micro=micro)).run()
        ends.append(learner.w.detach())
    assert torch.allclose(*ends, atol=1e-13)


def test_a_first_score_that_is_not_finite_is_not_the_best():
    loop = make_loop(steps=40, validate_every=10)
    values = iter([float("nan"), 3.0, 2.0, 2.5])
    loop.validate = lambda learner: {"loss": next(values)}
    loop.run()
    assert (loop.best["step"], loop.best["value"]) == (30, 2.0)


def test_weights_that_moved_within_a_step_are_set_back():
    learner = Quadratic().double()
    calls = []
    honest = learner.loss

    def loss(player, batch):
        calls.append(learner.w.detach().clone())
        return honest(player, batch) * (float("nan") if len(calls) == 3 else 1)

    learner.loss = loss
    optimizer = torch.optim.LBFGS(learner.parameters(), max_iter=20)
    loop = Loop(learner, Table(X.double(), Y.double(), size=200), {"all": optimizer}, Plan(steps=1))
    with pytest.raises(NotFinite):
        loop.run()
    assert not torch.equal(calls[2], calls[0]) and torch.equal(learner.w.detach(), calls[0])


def test_what_diverged_is_known_after_a_resume(tmp_path):
    settings = {"kind": Duel, "lr": 30.0, "steps": 40, "log_every": 5, "save_every_steps": 10}
    whole = make_loop(tmp_path / "whole", **settings)
    whole.run()
    assert "diverges" in whole.meters.diverged
    again = make_loop(tmp_path / "whole", **settings)
    assert again.resume() and again.meters.diverged == whole.meters.diverged


class Noisy(Classifier):
    """Its scores are nothing but noise."""

    def scores(self, batch):
        return {"loss": torch.rand(len(batch[0]))}


def test_each_validation_meets_the_same_noise():
    seen = []
    loop = make_loop(kind=Noisy, steps=12, validate_every=3)
    loop.listeners.append(lambda event: seen.append(event.values["loss"]) if event.kind == "valid" else None)
    loop.run()
    assert len(seen) == 4 and len(set(seen)) == 1
    other = make_loop(kind=Noisy, steps=3, seed=1)
    other.listeners.append(lambda event: seen.append(event.values["loss"]) if event.kind == "valid" else None)
    other.run()
    assert len(set(seen)) == 2  # another seed, other noise


class Narrow(Classifier):
    """Has memory to score three rows at once."""

    def scores(self, batch):
        if len(batch[0]) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return super().scores(batch)


def test_scores_that_do_not_fit_into_memory_are_computed_by_halves():
    wide, narrow = (make_loop(kind=kind, steps=3).learner for kind in (Classifier, Narrow))
    whole, cut = (mean_scores(learner, batches((X, Y), 16)) for learner in (wide, narrow))
    assert cut == {"loss": pytest.approx(whole["loss"])}
    with pytest.raises(RuntimeError, match="another fault"):
        narrow.scores = lambda batch: (_ for _ in ()).throw(RuntimeError("another fault"))
        mean_scores(narrow, batches((X, Y), 16))
