import copy

import pytest
import torch

from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.learning.metric import Embedding
from torchatlas.learning.metric.embedding import MEMORY
from torchatlas.losses.metric import TripletLoss
from torchatlas.networks.dense import MLP
from toys import X, Y, make_loop, same_weights


def learner(**options):
    return Embedding(MLP(20, 8, hidden=(16,)), 3, 8, TripletLoss(**options))


def step(one, x, y, number=0):
    one.train()
    loss = one.loss("all", (x, y))
    with torch.no_grad():
        one.updated("all", number)
    return loss


def test_the_loss_is_that_of_the_network_s_outputs():
    one = learner()
    torch.testing.assert_close(step(one, X[:32], Y[:32]), TripletLoss()(one.network(X[:32]), Y[:32]))


def test_centres_and_spread_are_means_that_fade():
    one, batches = learner().double(), [(X[:30].double(), Y[:30]), (X[30:90].double(), Y[30:90])]
    for k, (x, y) in enumerate(batches):
        step(one, x, y, k)
    points = torch.cat([one.embed(x) for x, _ in batches]).detach()
    labels, weight = torch.cat([y for _, y in batches]), torch.tensor([MEMORY] * 30 + [1.0] * 60).double()
    centres, spread = one.centres()
    for k in range(3):
        mine = labels == k
        expected = (weight[mine, None] * points[mine]).sum(0) / weight[mine].sum()
        torch.testing.assert_close(centres[k], expected)
    far = (weight * (points - centres[labels]).square().sum(1)).sum() / weight.sum()
    torch.testing.assert_close(spread, far)


def test_micro_batches_leave_the_centres_of_the_whole_batch():
    whole = learner()
    parts = copy.deepcopy(whole)
    step(whole, X[:40], Y[:40])
    parts.train()
    for rows in (slice(0, 25), slice(25, 40)):
        parts.loss("all", (X[rows], Y[rows]))
    parts.updated("all", 0)
    torch.testing.assert_close(parts.centres(), whole.centres())


def test_probabilities_are_the_softmax_of_distances_to_centres():
    one = learner()
    step(one, X, Y)
    centres, spread = one.centres()
    far = torch.cdist(one.embed(X), centres).square()
    torch.testing.assert_close(one.predict(X), (-far / spread).softmax(1), rtol=1e-4, atol=1e-5)
    scores = one.scores((X, Y))
    torch.testing.assert_close(
        scores["log_loss"], -one.predict(X)[torch.arange(200), Y].log(), rtol=1e-4, atol=1e-5
    )
    assert torch.equal(scores["accuracy"], (far.argmin(1) == Y).float())


def test_in_evaluation_nothing_is_counted_and_a_fresh_one_scores_finitely():
    one = learner().eval()
    before = copy.deepcopy(one)
    one.loss("all", (X, Y))
    assert same_weights(one, before)
    assert torch.isfinite(one.scores((X, Y))["log_loss"]).all()


def test_rows_with_weights_and_data_without_classes_are_refused():
    with pytest.raises(UsageError, match="no sample weights"):
        learner().loss("all", (X, Y, torch.ones(200)))
    with pytest.raises(UsageError, match="regression"):
        Embedding.for_data(Spec("table", (4,), "regression", 1))
    made = Embedding.for_data(Spec("image", (1, 8, 8), "classification", 10))
    assert made.predict(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_it_learns():
    torch.manual_seed(0)
    one = learner()
    optimizer = torch.optim.Adam(one.parameters(), lr=0.01)
    for k in range(150):
        optimizer.zero_grad()
        step(one, X, Y, k).backward()
        optimizer.step()
    assert one.eval().scores((X, Y))["accuracy"].mean() > 0.95


@pytest.mark.parametrize("micro", [1, 3])
def test_stopped_and_resumed_it_ends_in_the_same_bits(tmp_path, micro):
    plan = {"kind": learner, "micro": micro, "save_every_steps": 10, "ema": 0.9}
    whole = make_loop(tmp_path / "whole", **plan)
    whole.run()
    make_loop(tmp_path / "broken", **plan, steps=30).run()
    broken = make_loop(tmp_path / "broken", **plan)
    assert broken.resume() and broken.step == 30
    broken.run()
    assert same_weights(whole.learner, broken.learner) and same_weights(whole.average, broken.average)
    states = [{**loop.state(), "records": 0} for loop in (whole, broken)]  # the stop wrote a line of its own
    assert same_bits(*states)


def same_bits(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_bits(a[k], b[k]) for k in a)
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
