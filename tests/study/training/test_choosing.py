import json
from functools import partial

import numpy as np
import pytest
import torch
import yaml

from torchatlas.data import open_dataset
from torchatlas.engine import numerics as numerics_page
from torchatlas.engine.distribution import Group
from torchatlas.engine.errors import AtlasError, UsageError
from torchatlas.engine.numerics import EXACT, Numerics
from torchatlas.engine.record import read_record
from torchatlas.study.training import choosing, contest, train as page
from torchatlas.study.training.choosing import SHORT, TRIED, Again, Rehearsal, choose, grid_of, note_of, told
from torchatlas.study.training.inputs import prepare
from torchatlas.study.training.loops import make_loop
from torchatlas.study.training.recipe import read_recipe
from torchatlas.study.training.resolve import card_of, resolve
from torchatlas.study.training.train import resume, train

BF16 = Numerics(bfloat16=True)


def made(method="mlp", data="digits", **settings):
    """A loop, its recipe and its card."""
    dataset = open_dataset(data)
    recipe = resolve(method, data, {"threads": 1, "steps": 400, "batch_size": 16, **settings})
    card = card_of(method)
    return make_loop(recipe, prepare(recipe, card, dataset), card, None), recipe, card


@pytest.fixture
def long(monkeypatch):
    """Every run is long enough to try everything in, but for what compiles."""
    monkeypatch.setattr(contest, "SHARE", 1e9)
    monkeypatch.setattr(contest, "ROUNDS", 3)
    monkeypatch.setattr(choosing, "COMPILE", float("inf"))
    monkeypatch.setattr(choosing, "has_bfloat16", lambda device: True)


def weights(loop):
    return [p.detach().clone() for p in loop.learner.state_dict().values()]


@pytest.mark.parametrize("method", ["mlp", "lenet5", "gan_nonsaturating", "fixmatch"])
def test_real_candidates_leave_no_trace(method, long):
    words = {"labels": 100} if method == "fixmatch" else {}
    loop, recipe, card = made(method, **words)
    before, random = weights(loop), torch.get_rng_state()
    chosen, spent = choose(loop, recipe, card)
    assert chosen["because"] == TRIED and spent > 0
    assert all(map(torch.equal, before, weights(loop)))
    assert torch.equal(random, torch.get_rng_state())
    assert loop.step == 0 and not loop.meters.pending
    fresh, _, _ = made(method, **words)
    for each in (loop, fresh):
        each.learner.planned(400, each.source.steps_per_epoch)
        for _ in range(3):
            each._one_step()
    assert all(map(torch.equal, weights(loop), weights(fresh)))


def test_threads_are_tried_and_put_back(long, monkeypatch):
    asked = []  # and not obeyed: two threads wait for each other where tests share the cores
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    chosen, _ = choose(*made(), threads_free=True)
    assert "1 thread" in [row["numerics"] for row in chosen["clock"]["table"]]
    assert set(asked) == {1, 2}
    monkeypatch.setattr(contest.Contest, "run", lambda self, grid: asked.append(1) or 1 / 0)
    choose(*made(), threads_free=True)
    assert asked[-2:] == [1, 2]


def test_the_table_is_plain_and_tells_each_candidate(long):
    chosen, _ = choose(*made("lenet5"))
    assert yaml.safe_load(yaml.safe_dump(chosen)) == chosen
    rows = chosen["clock"]["table"]
    names = [row["numerics"] for row in rows]
    assert names[:4] == ["exact", "channels_last+bfloat16", "bfloat16", "channels_last"]
    assert "unfused" in names[4] and all("compiled" in name for name in names[5:])
    assert all(row["told"].startswith("not tried: compiling") for row in rows[5:])
    assert [row["told"] for row in rows].count("chosen") == 1
    assert all(abs(row["loss_differs"]) < 0.01 for row in rows[:4] if row["told"] != "its loss differs")


def test_rehearsals_are_the_first_steps_of_the_run(tmp_path):
    loop, recipe, card = made(log_every=1, steps=6, dropout=0.5)
    copied = choosing._copied(loop, recipe, card, loop.source, EXACT, Group())
    rehearsal = Rehearsal(copied, 1)
    assert rehearsal.run(2) > 0 and rehearsal.run(4) > 0
    train("mlp", "digits", out=tmp_path / "run", threads=1, steps=6, batch_size=16, log_every=1, dropout=0.5)
    lines = read_record(tmp_path / "run" / "record.jsonl")
    assert rehearsal.losses["loss"] == [line["loss"] for line in lines if line["kind"] == "train"]


def test_each_players_loss_is_followed():
    loop, recipe, card = made("gan_nonsaturating")
    rehearsal = Rehearsal(choosing._copied(loop, recipe, card, loop.source, EXACT, Group()), 1)
    rehearsal.run(3)
    assert {name: len(values) for name, values in rehearsal.losses.items()} == {
        f"{player}.loss": 3 for player in loop.learner.players
    }


def test_what_is_told_beside_the_loss_is_not_followed():
    loop, recipe, card = made("vae")
    rehearsal = Rehearsal(choosing._copied(loop, recipe, card, loop.source, EXACT, Group()), 1)
    rehearsal.run(1)
    assert list(rehearsal.losses) == ["loss"] and len(rehearsal.loop.meters.pending) > 1


def test_what_there_is_to_try(monkeypatch):
    monkeypatch.setattr(choosing, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    plain, _, _ = made()
    assert grid_of(plain).eager == [BF16]
    assert grid_of(plain, threads_free=True).eager == [
        BF16,
        Numerics(bfloat16=True, threads=1),
        Numerics(threads=1),
    ]
    assert grid_of(plain).unfused and grid_of(plain).compiles
    several = grid_of(plain, Group(0, 2), threads_free=True)
    assert several.eager == [BF16] and not several.compiles and several.most < 120
    images, _, _ = made("lenet5")
    assert len(grid_of(images, threads_free=True).eager) == 7
    monkeypatch.setattr(choosing, "has_bfloat16", lambda device: False)
    assert grid_of(plain).eager == []
    assert grid_of(images).eager == [Numerics(channels_last=True)]


def test_what_compiling_is_thought_to_cost():
    rows = len(made()[0].source.order(0))
    grids = [grid_of(made(batch_size=size)[0]) for size in (rows, rows - 1)]
    assert [grid.shapes for grid in grids] == [1, 2]
    episodes, _, _ = made()
    episodes.source = Counted()
    assert grid_of(episodes).shapes == 1
    assert grid_of(made("gan_nonsaturating")[0]).compiling > 1.9 * choosing.COMPILE > grids[0].compiling


class Counted:
    """A source that counts what it is asked for."""

    draws, steps_per_epoch = False, 7

    def __init__(self):
        self.asked = []

    def rows(self):
        """What episodes have is no number."""

    def batch(self, step, turn, learner):
        self.asked.append((step, turn))
        return (torch.arange(10) + 100 * step + 1000 * turn,)


def test_batches_that_are_dear_are_made_once():
    source = Counted()
    again = Again(source)
    seen = [again.batch(step, turn, None)[0] for step in range(20) for turn in (0, 1)]
    assert source.asked == [(step, turn) for step in range(8) for turn in (0, 1)]
    assert torch.equal(seen[2 * 9 + 1], source.batch(1, 1, None)[0])
    assert Again(source, 4).batch(0, 0, None)[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"steps": 79}, SHORT),
        ({"optimizer": "torch.optim:LBFGS"}, "line"),
        ({"method": "dqn", "data": "gym:CartPole-v1"}, "depend"),
        ({"shard_model": True}, "part of the weights"),
    ],
)
def test_where_nothing_is_tried(words, why, long):
    if words.get("method") == "dqn":
        pytest.importorskip("gymnasium")
    chosen, spent = choose(*made(**words))
    assert chosen["numerics"] == EXACT.as_dict() and why in chosen["because"]
    assert spent == 0 and "clock" not in chosen and told(chosen) == ""


def test_a_run_that_cannot_make_a_step_is_left_to_tell_so(long):
    loop, recipe, card = made()
    with torch.no_grad():
        next(loop.learner.parameters()).fill_(torch.nan)
    chosen, _ = choose(loop, recipe, card)
    assert chosen["numerics"] == EXACT.as_dict() and "not finite" in chosen["because"]


def test_words_for_the_choice():
    clock = {"times_as_fast": 2.43, "loss_differs": -0.0031, "table": [1, 2, 3]}
    numerics = Numerics(channels_last=True, bfloat16=True)
    text = told({"numerics": numerics.as_dict(), "because": TRIED, "clock": clock})
    assert text == "numerics: channels_last+bfloat16, 2.4 times as fast as float32; the loss differs by 0.31%"
    text = told({"numerics": EXACT.as_dict(), "because": TRIED, "clock": clock | {"times_as_fast": 1.0}})
    assert text == "numerics: float32 as it is; of 2 others none was faster and as good"
    assert note_of(None) == note_of({"numerics": EXACT.as_dict()}) == ""


# ---- in a run --------------------------------------------------------------------------------------------


def record_of(folder):
    return [{k: v for k, v in line.items() if k != "clock"} for line in read_record(folder / "record.jsonl")]


@pytest.fixture
def fixed(monkeypatch):
    """A choice that takes no time: the numerics that the test names; and how often it was made."""

    def fix(numerics, calls=None):
        clock = {"times_as_fast": 2.0, "loss_differs": 0.0, "table": []}

        def choice(loop, recipe, card, **words):
            if calls is not None:
                calls.append(words)
            return {"numerics": numerics.as_dict(), "because": TRIED, "clock": clock}, 1.5

        monkeypatch.setattr(page, "choose", choice)

    return fix


QUICK = {"steps": 12, "log_every": 4}


def test_the_choice_is_written_told_and_kept(tmp_path, fixed):
    calls, events = [], []
    fixed(Numerics(bfloat16=True, threads=3), calls)
    run = train("mlp", "digits", out=tmp_path / "a", listeners=[events.append], **QUICK)
    recipe = read_recipe(tmp_path / "a" / "run.yaml")
    assert Numerics.of(recipe.chosen["numerics"]) == Numerics(bfloat16=True, threads=3)
    assert recipe.numerics == "auto" and recipe.threads == 3
    assert next(event.values["message"] for event in events if event.kind == "note").startswith(
        "numerics: bfloat16+3 threads, 2 times as fast"
    )
    note = "numerics: bfloat16+3 threads (measured on this machine)"
    assert note in run.result["notes"]
    assert record_of(tmp_path / "a")[0] == {"kind": "note", "message": note}
    assert run.result["clock"]["seconds"] >= 1.5
    train(str(tmp_path / "a" / "run.yaml"), out=tmp_path / "b")
    resume(tmp_path / "a", steps=14)
    assert len(calls) == 1
    assert [line["kind"] for line in record_of(tmp_path / "a")].count("note") == 1
    assert (tmp_path / "b" / "run.yaml").read_text() == recipe.write()
    assert record_of(tmp_path / "b") == record_of(tmp_path / "a")[: len(record_of(tmp_path / "b"))]


def test_a_chosen_run_is_the_run_that_says_so_itself(tmp_path, fixed):
    fixed(BF16)
    train("mlp", "digits", out=tmp_path / "a", threads=1, **QUICK)
    train("mlp", "digits", out=tmp_path / "b", threads=1, numerics="bfloat16", **QUICK)
    train("mlp", "digits", out=tmp_path / "c", threads=1, numerics="exact", **QUICK)
    a, b, c = (record_of(tmp_path / name) for name in "abc")
    assert a[1:] == b != c
    assert read_recipe(tmp_path / "b" / "run.yaml").chosen is None


def test_other_words_win_over_an_old_choice(tmp_path, fixed):
    fixed(BF16)
    train("mlp", "digits", out=tmp_path / "a", threads=1, **QUICK)
    train(str(tmp_path / "a" / "run.yaml"), out=tmp_path / "b", numerics="exact")
    train("mlp", "digits", out=tmp_path / "c", threads=1, numerics="exact", **QUICK)
    assert read_recipe(tmp_path / "b" / "run.yaml").chosen is None
    assert record_of(tmp_path / "b") == record_of(tmp_path / "c")
    with pytest.raises(UsageError, match="numerics=fast"):
        train("mlp", "digits", out=tmp_path / "d", numerics="fast", **QUICK)


def test_threads_that_were_said_are_not_to_be_found(fixed):
    calls = []
    fixed(EXACT, calls)
    train("mlp", "digits", out=None, threads=1, **QUICK)
    train("mlp", "digits", out=None, **QUICK)
    assert [words["threads_free"] for words in calls] == [False, True]


def test_a_run_from_before_goes_on_as_it_was(tmp_path, fixed):
    train("mlp", "digits", out=tmp_path / "a", threads=1, numerics="exact", **QUICK)
    path = tmp_path / "a" / "run.yaml"
    recipe = read_recipe(path).model_copy(update={"numerics": "auto", "chosen": None})
    path.write_text(recipe.write())
    calls = []
    fixed(BF16, calls)
    resume(tmp_path / "a", steps=15)
    assert not calls and record_of(tmp_path / "a")[-1]["step"] == 15


def test_a_short_run_is_exact_and_says_so(tmp_path):
    for name, words in (("a", {}), ("b", {"numerics": "exact"})):
        train("mlp", "digits", out=tmp_path / name, threads=1, **words, **QUICK)
    chosen = read_recipe(tmp_path / "a" / "run.yaml").chosen
    assert chosen == {"numerics": EXACT.as_dict(), "because": SHORT}
    assert record_of(tmp_path / "a") == record_of(tmp_path / "b")
    assert "numerics" not in json.dumps(json.loads((tmp_path / "a" / "result.json").read_text()))


def test_the_first_process_chooses_for_all(monkeypatch, fixed):
    calls = []
    fixed(BF16, calls)
    recipe = resolve("mlp", "digits", {"steps": 12})
    card = card_of("mlp")
    prepared = prepare(recipe, card, open_dataset("digits"))
    first = page.make_chosen(recipe, prepared, card, None, (), None, Group())[0].chosen
    monkeypatch.setattr(Group, "agree", lambda self, value: (first, 0.0) if value == (None, None) else value)
    monkeypatch.setattr(Group, "by_first", lambda self, work: (first, 0.0) if self.rank else work())
    heard = []
    other = partial(page.make_chosen, recipe.model_copy(update={"shards": 2}), prepared, card, None)
    recipe, loop = other([heard.append], None, Group(1, 2))
    assert len(calls) == 1 and loop.gradient.numerics == BF16 and recipe.chosen == first
    assert not heard


@pytest.mark.parametrize("method", ["mlp", "lenet5"])
def test_compiled_by_hand(tmp_path, monkeypatch, method):
    monkeypatch.setattr(numerics_page, "BACKEND", "aot_eager")
    torch.compiler.reset()
    run = train(method, "digits", out=tmp_path / "a", threads=1, numerics="compiled", **QUICK)
    exact = train(method, "digits", out=tmp_path / "b", threads=1, numerics="exact", **QUICK)
    assert np.isfinite(run.scores["accuracy"])
    for a, b in zip(record_of(tmp_path / "a"), record_of(tmp_path / "b")):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)
    assert exact.recipe.numerics == "exact"
    torch.compiler.reset()


def test_a_loss_that_is_not_finite_stops_a_run_in_bfloat16(tmp_path):
    with pytest.raises(AtlasError, match="before the weights changed"):
        train("mlp", "digits", out=tmp_path / "a", threads=1, numerics="bfloat16", lr=1e30, **QUICK)
    failure = next((tmp_path / "a" / "failures").iterdir())
    assert json.loads((failure / "failure.json").read_text())["numerics"]["bfloat16"]
    assert page.replay(failure)[0]
