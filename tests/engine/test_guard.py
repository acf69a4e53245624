import json

import pytest
import torch
from torch import Tensor, nn

from torchatlas.engine import guard
from torchatlas.engine.errors import NotFinite
from torchatlas.engine.learner import Learner
from torchatlas.engine.record import read_record
from toys import Classifier, make_loop, same_weights


class Faulty(Learner):
    """A learner whose fault is put where the test wants it."""

    def __init__(self, fault: nn.Module):
        super().__init__()
        self.first, self.fault, self.last = nn.Linear(20, 8), fault, nn.Linear(8, 1)

    def loss(self, player, batch):
        return self.last(self.fault(self.first(batch[0]))).mean()


class Log(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.log()  # not a number for negative values


class Root(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x * 0).abs().sqrt()  # the value is finite, its gradient is not


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(x, inplace=True).sub(1).log()


BATCH = (torch.randn(16, 20, generator=torch.Generator().manual_seed(1)),)


@pytest.mark.parametrize(
    ("fault", "what"),
    [(Log(), "output"), (Root(), "gradient with respect to its input"), (InPlace(), "output")],
)
def test_the_first_module_at_fault_is_named(fault, what):
    module, said = guard.find_source(Faulty(fault), "all", BATCH)
    assert module == "fault" and what in said


def test_a_bad_batch_and_bad_weights_are_told_apart():
    learner = Faulty(nn.Identity())
    bad = (BATCH[0].clone(),)
    bad[0][3, 4] = float("nan")
    assert guard.find_source(learner, "all", bad)[0] == "batch"
    with torch.no_grad():
        learner.last.bias.fill_(float("inf"))
    assert guard.find_source(learner, "all", BATCH) == ("last", "its parameter bias is not finite")
    assert guard.find_source(Faulty(nn.Identity()), "all", BATCH)[0] == ""


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_any_value_that_is_not_finite_is_seen(bad):
    gradients = [torch.ones(3), torch.ones(2, 2), torch.ones(())]
    assert guard.all_finite(torch.tensor(1.0), gradients)
    assert not guard.all_finite(torch.tensor(bad), gradients)
    gradients[1][1, 0] = bad
    assert not guard.all_finite(torch.tensor(1.0), gradients)
    assert not guard.all_finite(torch.tensor(bad), [])


def test_total_norm_is_that_of_one_long_vector():
    gradients = [torch.randn(3, 4), torch.randn(7)]
    flat = torch.cat([g.flatten() for g in gradients])
    assert guard.total_norm(gradients).item() == pytest.approx(flat.norm().item(), rel=1e-6)


def test_the_evidence_replays(tmp_path):
    loop = make_loop(tmp_path, lr=1e30, micro=2)
    with pytest.raises(NotFinite) as caught:
        loop.run()
    (folder,) = (tmp_path / "failures").iterdir()
    facts = json.loads((folder / "failure.json").read_text())
    assert facts["module"] and f"First at fault: {facts['module']}" in str(caught.value)
    assert guard.replay(folder, Classifier()) == (facts["module"], facts["what"])


class Poisoned(Classifier):
    """Not finite from step 23 on; counts its steps in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def loss(self, player, batch):
        return super().loss(player, batch) * torch.where(self.count == 23, float("nan"), 1.0)

    def updated(self, player, step):
        self.count += 1


@pytest.mark.parametrize("period", [None, 10])
def test_where_numbers_are_read_now_and_then_the_run_goes_back_to_the_bad_step(tmp_path, period):
    """As on an accelerator: steps go on until somebody looks, and are taken back."""
    before = make_loop(kind=Poisoned, steps=23)
    before.run()
    loop = make_loop(tmp_path, kind=Poisoned, log_every=10, save_every_steps=period)
    loop.record.rewind()
    loop.looks_later = True
    with pytest.raises(NotFinite, match="step 23: the loss or a gradient is not finite"):
        loop.run()
    assert loop.step == 23 and same_weights(loop.learner, before.learner)
    assert [line["step"] for line in read_record(tmp_path / "record.jsonl") if "lr" in line] == [
        7,
        10,
        14,
        20,
        21,
    ]
    (folder,) = (tmp_path / "failures").iterdir()
    assert folder.name == "step-00000023"
    assert all(step <= 20 for step in loop.store.steps())


def test_looking_later_changes_nothing_else(tmp_path):
    loops = [make_loop(tmp_path / str(later), steps=30, save_every_steps=7) for later in (False, True)]
    for later, loop in enumerate(loops):
        loop.record.rewind()
        loop.looks_later = bool(later)
        loop.run()
    assert same_weights(loops[0].learner, loops[1].learner)
    assert loops[0].store.steps() == loops[1].store.steps()


def test_a_bad_step_at_the_very_end_is_found_before_the_last_checkpoint(tmp_path):
    loop = make_loop(tmp_path, kind=Poisoned, steps=24, log_every=1000)
    loop.record.rewind()
    loop.looks_later = True
    with pytest.raises(NotFinite, match="step 23"):
        loop.run()
    assert loop.store.steps() == []
