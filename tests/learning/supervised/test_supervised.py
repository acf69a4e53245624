import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.learning.supervised import Supervised, output_loss
from torchatlas.networks.dense import MLP, LinearRegression, SoftmaxRegression

TABLE = Spec("table", (4,), "classification", 3)


class Weighted(nn.Module):
    """A loss with state: a learned scale per sample's class."""

    def __init__(self):
        super().__init__()
        self.reduction, self.scale = "mean", nn.Parameter(torch.ones(3))

    def forward(self, prediction, target):
        loss = cross_entropy(prediction, target, reduction="none") * self.scale[target]
        return loss if self.reduction == "none" else loss.mean()


def batch(task: str = "classification"):
    x = torch.randn(6, 4)
    if task == "classification":
        return x, torch.tensor([0, 1, 2, 0, 1, 2])
    return x, torch.randn(6, 3) if task == "regression" else torch.randint(2, (6, 3)).float()


def test_classification():
    learner, (x, y) = Supervised(MLP(4, 3)), batch()
    logits = learner.network(x)
    torch.testing.assert_close(learner.loss("all", (x, y)), -logits.log_softmax(1)[range(6), y].mean())
    scores = learner.scores((x, y))
    torch.testing.assert_close(scores["loss"], -logits.log_softmax(1)[range(6), y])
    assert scores["accuracy"].tolist() == (logits.argmax(1) == y).float().tolist()
    torch.testing.assert_close(learner.predict(x).sum(1), torch.ones(6))


def test_regression_with_several_targets():
    learner, (x, y) = Supervised(MLP(4, 3), "regression"), batch("regression")
    squares = (learner.network(x) - y) ** 2
    torch.testing.assert_close(learner.loss("all", (x, y)), squares.mean())
    torch.testing.assert_close(learner.scores((x, y))["squared_error"], squares.mean(1))
    torch.testing.assert_close(learner.predict(x), learner.network(x))


def test_regression_does_not_broadcast_a_flat_target():
    learner, x, y = Supervised(MLP(4, 1), "regression"), torch.randn(6, 4), torch.randn(6)
    torch.testing.assert_close(learner.loss("all", (x, y)), (learner.network(x)[:, 0] - y).square().mean())


def test_one_value_per_sample_may_come_flat():
    x, y = torch.randn(6, 4), torch.randn(6, 1)
    flat, column = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), nn.Linear(4, 1)
    column.load_state_dict(flat[0].state_dict())
    ours, theirs = Supervised(flat, "regression"), Supervised(column, "regression")
    torch.testing.assert_close(ours.loss("all", (x, y)), theirs.loss("all", (x, y)))
    assert ours.predict(x).shape == (6, 1) and ours.scores((x, y))["squared_error"].shape == (6,)


def test_several_labels():
    learner, (x, y) = Supervised(MLP(4, 3), "multilabel"), batch("multilabel")
    logits = learner.network(x)
    torch.testing.assert_close(learner.loss("all", (x, y)), binary_cross_entropy_with_logits(logits, y))
    torch.testing.assert_close(learner.predict(x), logits.sigmoid())
    right = ((logits.sigmoid() > 0.5) == y.bool()).float()
    torch.testing.assert_close(learner.scores((x, y))["accuracy"], right.mean(1))


@pytest.mark.parametrize("task", ["classification", "regression", "multilabel"])
def test_weights_repeat_rows(task):
    learner, (x, y) = Supervised(MLP(4, 3), task), batch(task)
    weight = torch.tensor([1.0, 0.0, 2.0, 3.0, 1.0, 0.0])
    rows = torch.arange(6).repeat_interleave(weight.long())
    repeated = learner.loss("all", (x[rows], y[rows]))
    torch.testing.assert_close(learner.loss("all", (x, y, weight)), repeated)
    torch.testing.assert_close(learner.loss("all", (x, y, 5 * weight)), repeated)


def test_weights_of_zero_alone_give_no_gradient():
    learner, (x, y) = Supervised(MLP(4, 3)), batch()
    learner.loss("all", (x, y, torch.zeros(6))).backward()
    assert all(not p.grad.any() for p in learner.parameters())


def test_a_loss_with_parameters_has_them_once_and_learns_them():
    learner, (x, y) = Supervised(nn.Linear(4, 3), loss=Weighted()), batch()
    assert list(learner.state_dict()) == ["network.weight", "network.bias", "criterion.scale"]
    learner.loss("all", (x, y, torch.ones(6))).backward()
    assert learner.criterion.scale.grad.abs().min() > 0
    other = copy.deepcopy(learner)
    with torch.no_grad():
        other.criterion.scale.mul_(2)
    torch.testing.assert_close(other.scores((x, y))["loss"], 2 * learner.scores((x, y))["loss"])


def test_a_plain_function_is_a_loss_but_takes_no_weights():
    learner, (x, y) = Supervised(nn.Linear(4, 3), loss=lambda p, t: cross_entropy(p, t)), batch()
    loss = learner.loss("all", (x, y))
    torch.testing.assert_close(learner.scores((x, y))["loss"].mean(), loss)
    with pytest.raises(UsageError, match="reduction"):
        learner.loss("all", (x, y, torch.ones(6)))


def test_for_data_builds_a_network_of_the_data_s_size():
    learner = Supervised.for_data(Spec("image", (1, 8, 8), "classification", 10))
    assert learner.network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize(
    ("network", "task", "cure"),
    [
        (LinearRegression(4, 3), "classification", "softmax_regression"),
        (SoftmaxRegression(4, 3), "regression", "linear"),
    ],
)
def test_a_network_for_another_task_is_refused_with_the_cure(network, task, cure):
    with pytest.raises(UsageError, match=f"use {cure}"):
        Supervised.for_data(Spec("table", (4,), task, 3), network=network)


def test_data_without_a_target_is_refused():
    with pytest.raises(UsageError, match="target"):
        output_loss("none")


def test_it_learns():
    x = torch.randn(200, 4)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    learner = Supervised.for_data(TABLE)
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        learner.loss("all", (x, y)).backward()
        optimizer.step()
    assert learner.scores((x, y))["accuracy"].mean() > 0.97


class TwoHeads(nn.Module):
    """A head on the way beside the last one."""

    auxiliary_weight = 0.3

    def __init__(self):
        super().__init__()
        self.early, self.last = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(x)

    def forward_all(self, x):
        return self.last(x), self.early(x), 2 * self.early(x)


def test_heads_on_the_way_are_trained_and_not_scored():
    learner, (x, y) = Supervised(TwoHeads()), batch()
    net = learner.network
    parts = [cross_entropy(logits, y) for logits in (net.last(x), net.early(x), 2 * net.early(x))]
    torch.testing.assert_close(learner.loss("all", (x, y)), parts[0] + 0.3 * (parts[1] + parts[2]))
    torch.testing.assert_close(learner.scores((x, y))["loss"].mean(), parts[0])
    weights = torch.tensor([1.0, 0, 0, 0, 0, 0])
    first = learner.loss("all", (x[:1], y[:1]))
    torch.testing.assert_close(learner.loss("all", (x, y, weights)), first)
