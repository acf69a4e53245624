from math import exp, log, log1p

import pytest
import torch
import torch.nn.functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.losses.long_tailed import EqualizationLoss, EqualizationLossV2, SigmoidEqualizationLoss

COUNTS = (100, 10, 1)
SCORES, TARGET = [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0], [4.0, 0.2, -5.0], [0.3, 0.2, 0.1]], [2, 1, 0, 0]


def double(values):
    return torch.tensor(values, dtype=torch.double)


def binary(z, y):
    return max(z, 0) - z * y + log1p(exp(-abs(z)))


def sigmoid(z):
    return 1 / (1 + exp(-z))


def test_the_known_value():
    loss = EqualizationLoss(COUNTS, threshold=0.05, gamma=1.0)
    got = loss(double([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    assert got.item() == pytest.approx(0.313262, abs=5e-7)


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.5, 1.0])
def test_rare_classes_leave_the_denominators_of_others(threshold):
    rare = [n / 111 < threshold for n in COUNTS]
    each = []
    for z, y in zip(SCORES, TARGET, strict=True):
        total = sum(exp(x) for i, x in enumerate(z) if i == y or not rare[i])
        each.append(log(total) - z[y])
    loss = EqualizationLoss(COUNTS, threshold, 1.0, "none")
    assert loss(double(SCORES), torch.tensor(TARGET)).tolist() == pytest.approx(each, abs=1e-12)


def test_a_rare_class_gets_no_gradient_from_others_rows():
    z = double(SCORES).requires_grad_()
    EqualizationLoss(COUNTS, 0.05, 1.0)(z, torch.tensor(TARGET)).backward()
    assert z.grad[1:, 2].tolist() == [0.0, 0.0, 0.0] and z.grad[0, 2] < 0
    assert z.grad[:, :2].all()


def test_beta_is_drawn_for_each_row_and_class_with_probability_gamma():
    rows, gamma = 4000, 0.8
    z = torch.zeros(rows, 3, dtype=torch.double, requires_grad=True)
    loss = EqualizationLoss((1000, 1, 1), threshold=0.05, gamma=gamma)
    loss(z, torch.zeros(rows).long()).backward()
    gone = z.grad[:, 1:] == 0
    assert gone.double().mean().item() == pytest.approx(gamma, abs=0.02)
    both = (gone[:, 0] & gone[:, 1]).double().mean().item()
    assert both == pytest.approx(gamma**2, abs=0.03)  # not one draw for a row


def test_without_its_randomness_or_in_evaluation_it_is_cross_entropy():
    z, y = torch.randn(20, 3).double(), torch.arange(20) % 3
    plain = F.cross_entropy(z, y)
    evaluated = EqualizationLoss(COUNTS, 0.5, 1.0).eval()
    for loss in (EqualizationLoss(COUNTS, 0.5, 0.0), EqualizationLoss(COUNTS, 0.0), evaluated):
        assert torch.equal(loss(z.requires_grad_(), y), plain)
    with torch.no_grad():  # a copy that was left in training mode
        assert torch.equal(EqualizationLoss(COUNTS, 0.5, 1.0)(z, y), plain)


def test_the_sigmoid_form_spares_rare_negatives_of_foreground_rows():
    target = [2, 1, 0, 3]  # the last is background
    rare, each = [False, False, True], []
    for z, y in zip(SCORES, target, strict=True):
        terms = []
        for j, x in enumerate(z):
            spared = y < 3 and rare[j] and j != y
            terms.append(0.0 if spared else binary(x, float(j == y)))
        each.append(sum(terms))
    loss = SigmoidEqualizationLoss(COUNTS, 0.05, "none")
    assert loss(double(SCORES), torch.tensor(target)).tolist() == pytest.approx(each, abs=1e-12)
    mean = SigmoidEqualizationLoss(COUNTS, 0.05)(double(SCORES), torch.tensor(target))
    assert mean.item() == pytest.approx(sum(each) / 4, abs=1e-12)
    p = loss.probabilities(double(SCORES))[0].tolist()
    whole = sum(map(sigmoid, SCORES[0]))
    assert p == pytest.approx([sigmoid(x) / whole for x in SCORES[0]])


class Written:
    """The second version by loops: sums of gradients per class."""

    def __init__(self, classes, gamma, mu, alpha):
        self.classes, self.gamma, self.mu, self.alpha = classes, gamma, mu, alpha
        self.positive, self.negative = [0.0] * classes, [0.0] * classes

    def __call__(self, scores, target):
        ratios = []
        for up, down in zip(self.positive, self.negative, strict=True):
            ratios.append(100.0 if up + down == 0 else up / (down + 1e-10))
        losses, gradients = [], []
        for z, y in zip(scores, target, strict=True):
            total = 0.0
            for j, x in enumerate(z):
                f = sigmoid(self.gamma * (ratios[j] - self.mu)) if j < self.classes else 1.0
                weight = 1 + self.alpha * (1 - f) if j == y else f
                total += weight * binary(x, float(j == y))
                gradients.append((j, j == y, weight * abs(sigmoid(x) - (j == y))))
            losses.append(total)
        for j, positive, size in gradients:
            if j < self.classes:
                (self.positive if positive else self.negative)[j] += size
        return losses


@pytest.mark.parametrize("gamma, mu, alpha", [(12.0, 0.8, 4.0), (3.0, 0.4, 1.5)])
@pytest.mark.parametrize("background", [False, True])
def test_the_second_version_balances_gradients_step_by_step(background, gamma, mu, alpha):
    draw = torch.Generator().manual_seed(3)
    loss = EqualizationLossV2(3, gamma, mu, alpha, background, "none").double()
    written = Written(3, gamma, mu, alpha)
    assert loss.outputs == 3 + background
    for _ in range(4):
        z = torch.randn(5, 3 + background, generator=draw, dtype=torch.double) * 3
        y = torch.randint(3 + background, (5,), generator=draw)
        with torch.no_grad():  # scoring does not count
            scored = loss(z, y).tolist()
        got = loss(z.requires_grad_(), y)
        assert got.tolist() == scored
        assert got.tolist() == pytest.approx(written(z.tolist(), y.tolist()), rel=1e-9)
    assert loss.positive.tolist() == pytest.approx(written.positive)
    assert loss.negative.tolist() == pytest.approx(written.negative)
    kept = loss.positive.clone()
    loss.eval()(z, y)
    assert torch.equal(kept, loss.positive)


def test_the_second_version_s_known_weights():
    loss = EqualizationLossV2(2, reduction="none").double().eval()
    z, y = double([[0.4, -1.0]]), torch.tensor([0])
    plain = [binary(0.4, 1.0), binary(-1.0, 0.0)]
    assert loss(z, y).item() == pytest.approx(sum(plain))  # a ratio of 100: plain
    loss.positive.fill_(0.8)
    loss.negative.fill_(1.0)
    assert loss(z, y).item() == pytest.approx(3 * plain[0] + 0.5 * plain[1])


def test_its_state_goes_on_where_it_was():
    z, y = torch.randn(6, 3, requires_grad=True), torch.arange(6) % 3
    one, other = EqualizationLossV2(3), EqualizationLossV2(3)
    one(z, y)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(z, y), other(z, y)) and torch.equal(one.negative, other.negative)


def test_wrong_words_are_refused():
    with pytest.raises(UsageError, match="gamma"):
        EqualizationLoss(COUNTS, gamma=1.5)
    with pytest.raises(UsageError, match="threshold"):
        SigmoidEqualizationLoss(COUNTS, threshold=-1.0)
    for loss in (EqualizationLoss(COUNTS), SigmoidEqualizationLoss(COUNTS), EqualizationLossV2(3)):
        with pytest.raises(UsageError, match="3 scores a row, and there are 2"):
            loss(torch.zeros(1, 2), torch.tensor([0]))
