from math import exp, log

import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.data.prepared import Prepared
from torchatlas.data.spec import Part, Spec
from torchatlas.engine.errors import UsageError
from torchatlas.engine.loop import Loop, Plan
from torchatlas.learning.long_tailed import MetaSampler
from torchatlas.learning.long_tailed.meta_sampler import MetaBatches, Rates, straight_through

COUNTS = (200, 10)


class Flat(nn.Module):
    """Features are the inputs."""

    def __init__(self, inputs=2, classes=2):
        super().__init__()
        self.head = nn.Linear(inputs, classes)

    def forward_features(self, x):
        return x

    def forward(self, x):
        return self.head(x)


def clouds(counts=COUNTS, seed=0):
    draw = torch.Generator().manual_seed(seed)
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    x = torch.randn(len(y), 2, generator=draw) + 2.0 * (y[:, None] - 0.5)
    return Part(x, y, np.arange(len(y)))


def test_rates_at_first_go_as_a_power_of_the_counts():
    for power, want in ((0.0, [200 / 210, 10 / 210]), (1.0, [0.5, 0.5])):
        scores = Rates(COUNTS, power)()
        assert scores.softmax(0).tolist() == pytest.approx(want, rel=1e-6)
    assert torch.isinf(Rates((3, 0))()[1])  # no rows: never drawn


def test_rows_are_drawn_as_often_as_the_rates_say_and_meta_rows_of_each_class_alike():
    learner = MetaSampler(Flat(), COUNTS)
    with torch.no_grad():
        learner.sampler.rates.copy_(torch.tensor([-2.0, 1.0]))
    source = MetaBatches(clouds(), 40, 30, seed=1)
    found = [source.batch(k, 0, learner) for k in range(300)]
    raw = [200 / (1 + exp(2.0)), 10 / (1 + exp(-1.0))]
    share = torch.cat([batch[1] for batch in found]).double().mean().item()
    assert share == pytest.approx(raw[1] / sum(raw), abs=0.02)
    assert learner.shares().tolist() == pytest.approx([r / sum(raw) for r in raw], rel=1e-5)
    assert torch.cat([batch[4] for batch in found]).double().mean().item() == pytest.approx(0.5, abs=0.02)
    for x, y, noise, meta_x, meta_y in found[:20]:
        assert torch.equal((learner.sampler() + noise).argmax(1), y)  # the noise that drew them
        assert x.shape == (40, 2) and meta_x.shape == (30, 2) and len(meta_y) == 30
    gumbel = torch.cat([batch[2] for batch in found])
    assert gumbel.mean().item() == pytest.approx(0.5772, abs=0.02)


def test_both_turns_have_one_batch_that_seed_and_step_decide():
    learner = MetaSampler(Flat(), COUNTS)
    one, two = (MetaBatches(clouds(), 8, 8, seed=3) for _ in range(2))
    first = one.batch(0, 0, learner)
    with torch.no_grad():
        learner.sampler.rates.add_(torch.tensor([-5.0, 5.0]))
    assert one.batch(0, 1, learner) is first
    for mine, theirs in zip(one.batch(4, 0, learner), two.batch(4, 0, learner), strict=True):
        assert torch.equal(mine, theirs)


def test_straight_through_is_one_with_the_slope_of_the_soft_draw():
    scores = torch.randn(3, 4, dtype=torch.double).requires_grad_()
    drawn = scores.argmax(1)
    weight = straight_through(scores, drawn, 0.5)
    assert weight.tolist() == [1.0, 1.0, 1.0]
    (grad,) = torch.autograd.grad(weight.sum(), scores)
    for row, k, got in zip(scores.tolist(), drawn.tolist(), grad.tolist(), strict=True):
        p = [exp(s / 0.5) for s in row]
        p = [v / sum(p) for v in p]
        assert got == pytest.approx([p[k] * ((j == k) - p[j]) / 0.5 for j in range(4)], abs=1e-12)


def balanced(z, y, n):
    return log(sum(k * exp(v) for k, v in zip(n, z, strict=True))) - log(n[y]) - z[y]


def after_a_step(rates, noise, learner, batch):
    """The meta loss of the soft draw by loops: a step on weighed rows, then cross entropy."""
    x, y, _, meta_x, meta_y = (part.tolist() for part in batch)
    w, b = learner.head.weight.tolist(), learner.head.bias.tolist()
    slope_w, slope_b = [[0.0] * 2 for _ in range(2)], [0.0] * 2
    for row, label, g in zip(x, y, noise, strict=True):
        soft = [exp(log(n) - log(1 + exp(-r)) + k) for n, r, k in zip(COUNTS, rates, g, strict=True)]
        weight = soft[label] / sum(soft)
        z = [sum(a * c for a, c in zip(row, w[j], strict=True)) + b[j] for j in range(2)]
        p = [n * exp(v) for n, v in zip(COUNTS, z, strict=True)]
        for j in range(2):
            error = weight * (p[j] / sum(p) - (j == label)) / len(x)
            slope_b[j] += error
            for i in range(2):
                slope_w[j][i] += error * row[i]
    rate, total = learner.inner_lr, 0.0
    for row, label in zip(meta_x, meta_y, strict=True):
        z = [
            sum(a * (w[j][i] - rate * slope_w[j][i]) for i, a in enumerate(row)) + b[j] - rate * slope_b[j]
            for j in range(2)
        ]
        total += log(sum(map(exp, z))) - z[label]
    return total / len(meta_x)


def test_the_gradient_through_the_step_is_that_of_finite_differences_on_the_soft_draw():
    torch.manual_seed(0)
    learner = MetaSampler(Flat(), COUNTS, inner_lr=0.7).double()
    batch = MetaBatches(clouds(), 6, 8, seed=0).batch(0, 0, learner)
    batch = tuple(part.double() if part.is_floating_point() else part for part in batch)
    x, y, noise, meta_x, meta_y = batch
    rates = learner.sampler.rates
    soft = (learner.sampler() + noise).softmax(1).gather(1, y[:, None])[:, 0]
    stepped = learner.step(x, y, soft)
    value = torch.nn.functional.cross_entropy(meta_x @ stepped["weight"].mT + stepped["bias"], meta_y)
    assert value.item() == pytest.approx(
        after_a_step(rates.tolist(), noise.tolist(), learner, batch), rel=1e-6
    )
    (grad,) = torch.autograd.grad(value, rates)
    for k in range(2):
        ends = []
        for shift in (1e-5, -1e-5):
            moved = rates.tolist()
            moved[k] += shift
            ends.append(after_a_step(moved, noise.tolist(), learner, batch))
        assert grad[k].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)
    loss = learner.loss("sampler", batch)
    (hard,) = torch.autograd.grad(loss, rates)
    assert hard.abs().sum() > 0


def test_the_model_learns_the_drawn_rows_by_balanced_softmax():
    learner = MetaSampler(Flat(), COUNTS).double()
    batch = MetaBatches(clouds(), 6, 8, seed=0).batch(0, 0, learner)
    batch = tuple(part.double() if part.is_floating_point() else part for part in batch)
    z = learner.network(batch[0]).tolist()
    want = sum(balanced(row, y, COUNTS) for row, y in zip(z, batch[1].tolist(), strict=True)) / 6
    assert learner.loss("model", batch).item() == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("criterion", ["cross_entropy", "balanced_softmax"])
def test_it_learns_to_draw_as_often_as_the_loss_needs_it(criterion):
    """Plain cross entropy needs classes drawn about alike to be right on each; balanced softmax does not."""
    torch.manual_seed(0)
    learner = MetaSampler(Flat(), COUNTS, meta_batch=64)
    if criterion == "cross_entropy":
        learner.criterion = nn.CrossEntropyLoss(reduction="none")
    spec = Spec("table", (2,), "classification", 2, counts=COUNTS)
    source = learner.source(Prepared(spec, clouds(), None, None, None), 64, 0, "cpu")
    optimizers = {
        "sampler": torch.optim.Adam(learner.owned("sampler"), 0.05),
        "model": torch.optim.SGD(learner.owned("model"), 0.1),
    }
    assert learner.shares()[1].item() == pytest.approx(10 / 210)
    Loop(learner, source, optimizers, Plan(steps=300)).run()
    share = learner.shares()[1].item()
    assert 0.3 < share < 0.95 if criterion == "cross_entropy" else share < 0.15


def test_what_it_cannot_learn_is_told():
    with pytest.raises(UsageError, match="regression"):
        MetaSampler.for_data(Spec("table", (4,), "regression", 1))
    with pytest.raises(UsageError, match="linear head"):
        MetaSampler(nn.Linear(3, 2), COUNTS)
    for options in ({"meta_batch": 0}, {"temperature": 0.0}):
        with pytest.raises(UsageError, match="meta_batch is at least 1"):
            MetaSampler(Flat(), COUNTS, **options)
