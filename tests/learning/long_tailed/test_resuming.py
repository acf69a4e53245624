"""What goes on from a checkpoint is what the whole training would have been, bit for bit."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.data import Resident
from torchatlas.data.prepared import Prepared
from torchatlas.data.spec import Part, Spec
from torchatlas.engine.loop import Loop, Plan
from torchatlas.learning.long_tailed import DecouplingCRT, DecouplingLWS, DecouplingNCM, MetaSampler
from torchatlas.learning.supervised import Supervised
from torchatlas.losses.long_tailed import BAGS, EqualizationLoss, EqualizationLossV2, GHMLoss, SeesawLoss
from torchatlas.networks.dense import MLP

COUNTS = (60, 30, 9)
SPEC = Spec("table", (4,), "classification", 3, counts=COUNTS)


def data() -> Prepared:
    draw = torch.Generator().manual_seed(0)
    y = torch.repeat_interleave(torch.arange(3), torch.tensor(COUNTS))
    part = Part(torch.randn(99, 4, generator=draw) + y[:, None], y, np.arange(99))
    return Prepared(SPEC, part, None, None, None)


def supervised(loss):
    return lambda: Supervised(MLP(4, getattr(loss(), "outputs", 3), hidden=(5,)), loss=loss())


LEARNERS = {
    "seesaw_loss": supervised(lambda: SeesawLoss(3)),
    "equalization_loss": supervised(lambda: EqualizationLoss(COUNTS, threshold=0.5)),
    "equalization_loss_v2": supervised(lambda: EqualizationLossV2(3)),
    "bags": supervised(lambda: BAGS(COUNTS, bounds=(10, 40))),
    "ghm_loss": supervised(lambda: GHMLoss(momentum=0.7)),
    **{
        kind.__name__: lambda kind=kind: kind.for_data(SPEC)
        for kind in (DecouplingCRT, DecouplingLWS, DecouplingNCM, MetaSampler)
    },
}


def started(make, steps) -> Loop:
    torch.manual_seed(0)
    learner, prepared = make(), data()
    source = learner.source(prepared, 16, 0, "cpu") or Resident(prepared.train, 16, 0)
    optimizers = {player: torch.optim.Adam(learner.owned(player), 0.01) for player in learner.players}
    loop = Loop(learner, source, optimizers, Plan(steps=steps))
    learner.planned(16, 7)  # of the whole training
    return loop


@pytest.mark.parametrize("name", LEARNERS)
def test_going_on_is_as_if_it_had_never_stopped(name):
    whole = started(LEARNERS[name], 16)
    whole.run()
    for stop in (3, 13):
        first = started(LEARNERS[name], stop)
        first.run()
        second = started(LEARNERS[name], 16)
        second.load_state(copy.deepcopy(first.state()))
        second.run()
        for (key, mine), theirs in zip(
            whole.learner.state_dict().items(), second.learner.state_dict().values(), strict=True
        ):
            assert torch.equal(mine, theirs), key


@pytest.mark.parametrize("name", [name for name in LEARNERS if name.islower()])
def test_scoring_in_between_changes_nothing(name):
    loop = started(LEARNERS[name], 6)
    loop.run()
    kept = copy.deepcopy(loop.learner.state_dict())
    learner, batch = loop.learner.eval(), data().train.tensors()
    with torch.no_grad():
        first, second = (learner.scores(batch)["loss"] for _ in range(2))
        alone = torch.cat([learner.scores((x[None], y[None]))["loss"] for x, y in zip(*batch, strict=True)])
    assert torch.equal(first, second)
    torch.testing.assert_close(alone, first)
    assert all(torch.equal(kept[key], value) for key, value in learner.state_dict().items())
    assert isinstance(learner.network, nn.Module)
