"""One run on 1, 2 and 4 processes: the same gradients, the same files, and all stop together."""

import os
import signal
import sys

import pytest
import torch

from processes import together
from torchatlas.engine.checkpoint import Store
from torchatlas.engine.distribution import Group, joined, shard_model
from torchatlas.engine.errors import AtlasError, Deserted, Interrupted, NotFinite, OutOfMemory, UsageError
from torchatlas.engine.record import read_record
from toys import Classifier, Duel, Plain, make_loop

if sys.platform == "win32":
    pytest.skip("processes are forked here", allow_module_level=True)

KINDS = {"statistics and dropout": Classifier, "two players": Duel}
SGD = {"optimizer": torch.optim.SGD, "lr": 0.05}
NAN = float("nan")


def grouped(work):
    """Call `work` with the group of these processes."""
    with joined(torch.device("cpu")) as group:
        return work(group)


def state_of(loop):
    return {name: value.clone() for name, value in loop.learner.state_dict().items()}


def gradients(kind, shards):
    def work(group):
        loop = make_loop(kind=kind, group=group, shards=shards, **SGD)
        found = {}
        for player in loop.learner.players:
            loop._focus(player)
            loop._closure(player, loop.source.batch(0, 0, None), 0)()
            found |= {f"{player} {i}": p.grad.clone() for i, p in enumerate(loop.owned[player])}
        return found | state_of(loop)

    return grouped(work)


def trained(folder, kind, shards, steps, sharded=False, going_on=False, ema=None):
    def work(group):
        prepare = (lambda learner: shard_model(learner, group)) if sharded else (lambda learner: None)
        words = {"shards": shards, "steps": steps, "log_every": 1, "ema": ema, **SGD}
        loop = make_loop(folder, kind=kind, group=group, prepare=prepare, **words)
        if not (going_on and loop.resume()) and loop.record:
            loop.record.rewind()
        loop.run()
        state = loop.state()
        return state["learner"], loop.best.get("value")

    return grouped(work)


def assert_close(ours, theirs, tolerance=1e-6):
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_same_gradients_and_statistics_on_1_2_and_4_processes(kind):
    alone = gradients(kind, 4)
    assert any(value.abs().max() > 1e-3 for name, value in alone.items() if " " in name)
    for size in (2, 4):
        for answer in together(size, gradients, kind, 4):
            assert_close(answer, alone)
    with pytest.raises(AssertionError):  # two shards have other statistics and other noise than four
        assert_close(gradients(kind, 2), alone)


def test_shards_meet_noise_and_statistics_of_their_own():
    """By hand: each quarter from the same buffers, with its own noise; gradients add, buffers average."""
    from torchatlas.engine.randomness import reseed

    loop = make_loop(shards=4, **SGD)
    x, y = loop.source.batch(0, 0, None)
    start, sums, moved = state_of(loop), 0, 0
    for i in range(4):
        loop.learner.load_state_dict(start)
        reseed("cpu", 0, 0, 0, i, "noise")
        loss = loop.learner.loss("all", (x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]))
        sums = sums + torch.autograd.grad(loss, loop.learner.net[0].weight)[0] / 4
        moved = moved + loop.learner.net[1].running_var / 4
    found = gradients(Classifier, 4)
    torch.testing.assert_close(found["all 0"], sums)
    torch.testing.assert_close(found["net.1.running_var"], moved)
    assert found["net.1.num_batches_tracked"] == 1


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_run_goes_on_with_another_number_of_processes(tmp_path, kind):
    whole, best = trained(tmp_path / "whole", kind, 4, 30)
    together(2, trained, tmp_path / "moved", kind, 4, 11)
    trained(tmp_path / "moved", kind, 4, 17, False, True)
    for weights, other in together(2, trained, tmp_path / "moved", kind, 4, 30, False, True):
        assert_close(weights, whole, 1e-5)
        assert other == (best if best is None else pytest.approx(best, rel=1e-5))
    losses = [[line["loss"] for line in read_record(tmp_path / run / "record.jsonl")
               if line["kind"] == "train" and "loss" in line]
              for run in ("whole", "moved")]  # fmt: skip
    assert losses[0] == pytest.approx(losses[1], rel=1e-5) and (losses[0] or kind is Duel)


def test_a_number_of_processes_that_does_not_divide_the_shards_is_told():
    with pytest.raises(UsageError, match=r"4 shards cannot be shared evenly by 3 .*--shards 3"):
        Group(0, 3).mine(4)
    assert [list(Group(r, 2).mine(4)) for r in (0, 1)] == [[0, 1], [2, 3]]


def test_a_batch_shorter_than_the_shards_leaves_some_of_them_empty():
    x, y = torch.randn(3, 20), torch.tensor([0, 1, 2])
    loops = [make_loop(kind=Plain, shards=shards, **SGD) for shards in (1, 8)]
    for loop in loops:
        loop._focus("all")
        loop._closure("all", (x, y), 0)()
    ours, theirs = ([p.grad for p in loop.owned["all"]] for loop in loops)
    torch.testing.assert_close(ours, theirs)


def test_the_files_are_the_same_and_written_once(tmp_path):
    trained(tmp_path / "one", Classifier, 2, 12)
    together(2, trained, tmp_path / "two", Classifier, 2, 12)
    trees = [Store(tmp_path / name / "checkpoints").newest(print)[1] for name in ("one", "two")]
    assert trees[0].keys() == trees[1].keys()
    files = [
        sorted(str(p.relative_to(tmp_path / n)) for p in (tmp_path / n).rglob("*")) for n in ("one", "two")
    ]
    assert files[0] == files[1]


def fsdp(folder, ema=None):
    return trained(folder, Classifier, 4, 20, True, ema=ema)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_model_in_parts_learns_the_same_and_leaves_the_same_files(tmp_path, ema):
    whole, best = trained(tmp_path / "whole", Classifier, 4, 20, ema=ema)
    for weights, other in together(2, fsdp, tmp_path / "parts", ema):
        assert_close(weights, whole, 1e-5)
        assert other == pytest.approx(best, rel=1e-5)
    trees = [Store(tmp_path / name / "checkpoints").newest(print)[1] for name in ("whole", "parts")]
    for kept in ("learner", "average") if ema else ("learner",):
        assert_close(trees[1][kept], trees[0][kept], 1e-5)
        assert type(next(iter(trees[1][kept].values()))) is torch.Tensor
    further = trained(tmp_path / "parts", Classifier, 4, 30, False, True, ema)  # and in one piece again
    longer = trained(tmp_path / "longer", Classifier, 4, 30, ema=ema)
    assert_close(further[0], longer[0], 1e-5)
    assert further[1] == pytest.approx(longer[1], rel=1e-5)


class Poisoned(Classifier):
    """Not finite at step 7, in the last rows of the batch alone: on one process."""

    def loss(self, player, batch):
        loss = super().loss(player, batch)
        return loss * (NAN if bool((batch[0] == 1234.5).any()) else 1.0)


def poisoned(folder, rank):
    def work(group):
        loop = make_loop(folder, kind=Poisoned, group=group, shards=2, **SGD)
        batch = loop.source.batch
        if loop.record:
            loop.record.rewind()

        def spiked(step, turn, learner):
            x, y = batch(step, turn, learner)
            if step == 7:
                x[-1 if rank else 0] = 1234.5
            return x, y

        loop.source.batch = spiked
        try:
            loop.run()
        except NotFinite as error:
            return loop.step, str(error), state_of(loop)

    return grouped(work)


@pytest.mark.parametrize("rank", [0, 1])
def test_what_is_not_finite_on_one_process_stops_all_before_the_weights_move(tmp_path, rank):
    first, second = together(2, poisoned, tmp_path / "run", rank)
    before = trained(tmp_path / "before", Classifier, 2, 7)[0]
    for step, message, weights in (first, second):
        assert step == 7 and "step 7: the loss or a gradient is not finite" in message
        assert_close(weights, before)
    (folder,) = (tmp_path / "run" / "failures").iterdir()  # once
    assert str(folder) in first[1]


def memory_runs_out(kind, on, size, sharded=False):
    """Memory for `size` rows at most, from step 3 on, on process `on`; on all where the model is sharded."""

    def work(group):
        class Short(kind):
            def loss(self, player, batch):
                if loop.step >= 3 and (sharded or group.rank == on) and len(batch[0]) > size:
                    raise torch.OutOfMemoryError("injected")
                return super().loss(player, batch)

        notes = []
        prepare = (lambda learner: shard_model(learner, group)) if sharded else (lambda learner: None)
        loop = make_loop(kind=Short, group=group, prepare=prepare, shards=group.size, steps=8, **SGD)
        loop.listeners.append(lambda event: notes.append(event) if event.kind == "note" else None)
        try:
            loop.run()
        except OutOfMemory as error:
            return str(error)
        return loop.gradient.micro, state_of(loop), [n.values["message"] for n in notes]

    return grouped(work)


def test_memory_that_runs_out_on_one_process_makes_all_cut_finer():
    whole = trained(None, Plain, 1, 8)[0]
    micro, weights, notes = memory_runs_out(Plain, 0, 9)
    assert micro == 4 and len(notes) == 1 and "step 3" in notes[0] and "4 parts" in notes[0]
    assert_close(weights, whole)
    for micro, weights, _ in together(2, memory_runs_out, Plain, 1, 9):
        assert micro == 2
        assert_close(weights, whole)


def test_what_cannot_be_cut_is_refused_in_words_by_all():
    said = [memory_runs_out(Classifier, 0, 9), *together(2, memory_runs_out, Classifier, 1, 9)]
    for words in said:
        assert "step 3" in words and "net.1 (BatchNorm1d) takes its statistics from the whole batch" in words
    assert "single row" in memory_runs_out(Plain, 0, 0)
    for words in together(2, memory_runs_out, Plain, None, 9, True):
        assert "step 3" in words and "Say micro=2" in words


def test_a_run_that_was_cut_finer_goes_on_so(tmp_path):
    loop = make_loop(tmp_path, kind=Plain, steps=4, **SGD)
    loop.record.rewind()
    loop.gradient.micro = 4
    loop.run()
    again = make_loop(tmp_path, kind=Plain, steps=4, **SGD)
    assert again.resume() and again.gradient.micro == 4


def deserted(folder):
    def work(group):
        loop = make_loop(folder, group=group, shards=2, save_every_steps=2, **SGD)
        batch = loop.source.batch
        if loop.record:
            loop.record.rewind()

        def dies(step, turn, learner):
            if step == 9 and group.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return batch(step, turn, learner)

        loop.source.batch = dies
        try:
            loop.run()
        except Deserted as error:
            return str(error)

    return grouped(work)


def test_a_dead_process_ends_the_run_at_the_last_checkpoint(tmp_path):
    said, _ = together(2, deserted, tmp_path / "run", die=(1,))
    assert "another process of this run died" in said
    assert Store(tmp_path / "run" / "checkpoints").steps()[-1] == 8
    weights, _ = trained(tmp_path / "run", Classifier, 2, 20, False, True)
    assert_close(weights, trained(tmp_path / "whole", Classifier, 2, 20)[0], 1e-5)


def asked(folder):
    def work(group):
        loop = make_loop(folder, group=group, shards=2, steps=1000, **SGD)
        batch = loop.source.batch

        def asks(step, turn, learner):
            if step == 9 and group.rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return batch(step, turn, learner)

        loop.source.batch = asks
        try:
            loop.run()
        except Interrupted as error:
            return loop.step, str(error)

    return grouped(work)


def test_a_signal_to_one_process_stops_all_at_one_checkpoint(tmp_path):
    (step, said), (other, _) = together(2, asked, tmp_path / "run")
    assert step == other and step in (10, 11)
    assert f"after step {step}, at a checkpoint" in said
    assert Store(tmp_path / "run" / "checkpoints").steps() == [step]


def refused():
    def work(group):
        def fails():
            raise AtlasError("the disk is full")

        with pytest.raises(AtlasError, match="full") as caught:
            group.by_first(fails)
        return caught.value.told, group.agree(group.rank), group.by_first(lambda: "made")

    return grouped(work)


def test_what_the_first_process_meets_all_meet():
    assert together(2, refused) == [(False, 0, "made"), (True, 0, "made")]
