import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.data.prepared import Prepared
from torchatlas.data.spec import Part, Spec
from torchatlas.engine.loop import Loop, Plan
from torchatlas.learning.long_tailed import DecouplingNCM


class Flat(nn.Module):
    """Features are the inputs."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2, 3)

    def forward_features(self, x):
        return x

    def forward(self, x):
        return self.head(x)


def rows():
    y = torch.arange(30) % 3
    return torch.randn(30, 2) + 3 * y[:, None], y


def squares(x, mean):
    return sum((a - b) ** 2 for a, b in zip(x, mean, strict=True)) / 2


def test_after_an_epoch_of_the_second_stage_the_means_are_those_of_all_rows():
    torch.manual_seed(0)
    x, y = rows()
    learner = DecouplingNCM(Flat(), share=0.5)
    data = Prepared(Spec("table", (2,), "classification", 3), Part(x, y, np.arange(30)), None, None, None)
    source = learner.source(data, 10, 0, "cpu")
    optimizers = {player: torch.optim.SGD(learner.owned(player), 0.1) for player in learner.players}
    Loop(learner, source, optimizers, Plan(steps=6)).run()  # an epoch of each stage
    learner.eval()
    means = [[sum(x[y == c, i].tolist()) / 10 for i in range(2)] for c in range(3)]
    got = learner.means.sums / learner.means.counts[:, None]
    assert learner.means.counts.tolist() == [10.0, 10.0, 10.0]
    torch.testing.assert_close(got, torch.tensor(means))
    far = [[squares(row, mean) for mean in means] for row in x.tolist()]
    nearest = [min(range(3), key=row.__getitem__) for row in far]
    assert learner.predict(x).argmax(1).tolist() == nearest
    scale = learner.means.log_scale.exp().item()
    assert learner.judge(x)[0].tolist() == pytest.approx([-scale * d for d in far[0]], rel=1e-5)


def test_a_turn_that_is_taken_again_counts_once():
    learner = DecouplingNCM(Flat())
    batch = rows()
    first = learner.loss("classifier", batch)
    assert torch.equal(first, learner.loss("classifier", batch))
    learner.updated("classifier", 0)
    assert learner.means.counts.tolist() == [10.0, 10.0, 10.0]
    again = learner.judge(batch[0])
    learner.updated("network", 1)
    assert torch.equal(learner.means(batch[0]), again)


def test_a_class_without_rows_is_never_the_nearest():
    learner = DecouplingNCM(Flat())
    x, y = rows()
    learner.loss("classifier", (x[y < 2], y[y < 2]))
    learner.updated("classifier", 0)
    assert (learner.predict(x)[:, 2] == 0).all() and torch.isfinite(learner.judge(x)).all()
