import json

import pytest
import torch
from torch import Tensor, nn

from torchatlas.engine import guard
from torchatlas.engine.errors import NotFinite
from torchatlas.engine.learner import Learner
from toys import Classifier, make_loop


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
