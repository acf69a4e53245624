from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.learning.supervised import Supervised
from torchatlas.losses.long_tailed import SeesawLoss

COUNTS = (100.0, 10.0, 1.0)
SCORES, TARGET = [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0], [9.0, 0.2, -5.0], [0.3, 0.2, 0.1]], [2, 1, 2, 0]


def double(values):
    return torch.tensor(values, dtype=torch.double)


def written(z, i, n, p, q, eps=0.01):
    share = [exp(x) / sum(map(exp, z)) for x in z]
    total = exp(z[i])
    for j in range(len(z)):
        if j == i:
            continue
        mitigation = (n[j] / n[i]) ** p if n[j] < n[i] else 1.0
        ratio = share[j] / max(share[i], eps)
        total += mitigation * (ratio**q if ratio > 1 else 1.0) * exp(z[j])
    return log(total) - z[i]


def seesaw(counts=COUNTS, **options):
    loss = SeesawLoss(3, **options).double().eval()
    loss.counts.copy_(double(counts))
    return loss


def test_the_known_values():
    z = double([[2.0, 1.0, 0.0]] * 2)
    got = seesaw(reduction="none")(z, torch.tensor([0, 2])).tolist()
    assert got == pytest.approx([0.059876, 6.050946], abs=5e-7)


@pytest.mark.parametrize("p, q", [(0.8, 2.0), (0.0, 2.0), (0.8, 0.0), (1.5, 0.7)])
@pytest.mark.parametrize("eps", [0.01, 0.2])
def test_mitigation_and_compensation(p, q, eps):
    each = [written(z, y, COUNTS, p, q, eps) for z, y in zip(SCORES, TARGET, strict=True)]
    got = seesaw(p=p, q=q, eps=eps, reduction="none")(double(SCORES), torch.tensor(TARGET))
    assert got.tolist() == pytest.approx(each, rel=1e-12)


def test_the_gradient_takes_the_softmax_within_compensation_as_given():
    z = double(SCORES).requires_grad_()
    seesaw(reduction="sum")(z, torch.tensor(TARGET)).backward()
    for row, i, grad in zip(SCORES, TARGET, z.grad.tolist(), strict=True):
        share = [exp(x) / sum(map(exp, row)) for x in row]
        weights = []
        for j in range(3):
            m = (COUNTS[j] / COUNTS[i]) ** 0.8 if COUNTS[j] < COUNTS[i] else 1.0
            c = max(share[j] / max(share[i], 0.01), 1.0) ** 2
            weights.append(1.0 if j == i else m * c)
        terms = [w * exp(x) for w, x in zip(weights, row, strict=True)]
        assert grad == pytest.approx([t / sum(terms) - (j == i) for j, t in enumerate(terms)], abs=1e-12)


def test_without_exponents_it_is_cross_entropy():
    z, y = torch.randn(20, 3).double(), torch.arange(20) % 3
    torch.testing.assert_close(seesaw(p=0.0, q=0.0)(z, y), F.cross_entropy(z, y))
    alike = seesaw((7.0, 7.0, 7.0))
    best = double([[3.0, 1.0, 0.0]])  # equal counts, and the class has the highest score
    torch.testing.assert_close(alike(best, torch.tensor([0])), F.cross_entropy(best, torch.tensor([0])))


def test_it_counts_a_batch_before_its_loss_in_training_alone():
    z, y = torch.zeros(4, 3, requires_grad=True), torch.tensor([0, 0, 0, 1])
    loss = SeesawLoss(3)
    value = loss(z, y)
    assert loss.counts.tolist() == [3.0, 1.0, 0.0]
    rows = [(0, (3, 1, 1))] * 3 + [(1, (3, 1, 1))]  # no rows of a class count as one
    want = sum(written([0.0] * 3, i, n, 0.8, 2.0) for i, n in rows) / 4
    assert value.item() == pytest.approx(want, rel=1e-6)
    loss.eval()(z, y)
    with torch.no_grad():
        loss.train()(z, y)
    assert loss.counts.tolist() == [3.0, 1.0, 0.0]
    other = SeesawLoss(3)
    other.load_state_dict(loss.state_dict())
    assert torch.equal(loss(z, y), other(z, y)) and other.counts.tolist() == [6.0, 2.0, 0.0]


def test_a_learner_s_scores_do_not_move_what_it_counts():
    learner = Supervised(torch.nn.Linear(4, 3), loss=SeesawLoss(3))
    batch = (torch.randn(6, 4), torch.arange(6) % 3)
    learner.loss("all", batch)
    learner.eval()
    with torch.no_grad():
        first, second = (learner.scores(batch)["loss"] for _ in range(2))
    assert torch.equal(first, second) and learner.criterion.counts.tolist() == [2.0, 2.0, 2.0]
    assert "whole batch" in learner.indivisible()


def test_wrong_words_are_refused():
    for options in ({"p": -1.0}, {"q": -1.0}, {"eps": 0.0}):
        with pytest.raises(UsageError, match="at least 0"):
            SeesawLoss(3, **options)
    with pytest.raises(UsageError, match="3 scores a row"):
        SeesawLoss(3)(torch.zeros(1, 4), torch.tensor([0]))
