from math import exp, log, log1p

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses import DistributionFocalLoss, QualityFocalLoss, VarifocalLoss
from torchatlas.losses.long_tailed import SigmoidFocalLoss

SCORES = [[2.0, 1.0, -3.0], [-1.0, 0.5, 9.0], [0.3, -8.0, 0.1]]
QUALITY = [[0.0, 0.7, 0.0], [0.2, 0.0, 1.0], [0.0, 0.0, 0.05]]


def double(values):
    return torch.tensor(values, dtype=torch.double)


def sigmoid(z):
    return 1 / (1 + exp(-z))


def binary(z, y):
    return max(z, 0) - z * y + log1p(exp(-abs(z)))


def summed(term):
    return [sum(map(term, z, q)) for z, q in zip(SCORES, QUALITY, strict=True)]


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0, 3.0])
def test_quality_focal(beta):
    each = summed(lambda z, y: abs(y - sigmoid(z)) ** beta * binary(z, y))
    got = QualityFocalLoss(beta, "none")(double(SCORES), double(QUALITY))
    assert got.tolist() == pytest.approx(each, rel=1e-12)
    mean = QualityFocalLoss(beta)(double(SCORES), double(QUALITY))
    assert mean.item() == pytest.approx(sum(each) / 3, rel=1e-12)


def test_quality_focal_of_whole_labels_is_focal_and_is_zero_at_the_quality():
    z, y = torch.randn(9, 4).double() * 3, torch.arange(9) % 4
    focal = SigmoidFocalLoss(2.0, None, "none")(z, y).sum(1)
    torch.testing.assert_close(QualityFocalLoss(2.0, "none")(z, y), focal)
    q = double([[0.3, 0.9]])
    x = (q / (1 - q)).log().requires_grad_()
    loss = QualityFocalLoss()(x, q)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-12) and x.grad.abs().max() < 1e-12


@pytest.mark.parametrize("alpha, gamma", [(0.75, 2.0), (0.25, 0.5), (1.0, 1.0)])
def test_varifocal(alpha, gamma):
    def term(z, q):
        p = sigmoid(z)
        return q * -(q * log(p) + (1 - q) * log(1 - p)) if q > 0 else -alpha * p**gamma * log(1 - p)

    each = summed(term)
    got = VarifocalLoss(alpha, gamma, "none")(double(SCORES), double(QUALITY))
    assert got.tolist() == pytest.approx(each, rel=1e-9)


def test_a_positive_of_full_quality_has_the_plain_surprise():
    z = double([[0.7]])
    assert VarifocalLoss()(z, double([[1.0]])).item() == pytest.approx(-log(sigmoid(0.7)))
    assert torch.equal(VarifocalLoss()(z, torch.tensor([0])), VarifocalLoss()(z, double([[1.0]])))


def test_distribution_focal():
    z = [[0.2, 1.0, -2.0, 3.0], [4.0, 0.0, 0.5, -1.0], [1.0, 2.0, 3.0, 4.0]]
    for numbers in ([0.25, 1.5, 2.9], [0.0, 2.0, 3.0]):
        each = []
        for row, y in zip(z, numbers, strict=True):
            s = [exp(x) / sum(map(exp, row)) for x in row]
            i = min(int(y), 2)
            each.append(-((i + 1 - y) * log(s[i]) + (y - i) * log(s[i + 1])))
        got = DistributionFocalLoss("none")(double(z), double(numbers))
        assert got.tolist() == pytest.approx(each, abs=1e-12)


def test_whole_numbers_are_cross_entropy_and_the_least_is_between_neighbours():
    z, y = torch.randn(8, 5).double(), torch.arange(8) % 5
    plain = torch.nn.functional.cross_entropy(z, y)
    torch.testing.assert_close(DistributionFocalLoss()(z, y.double()), plain)
    x = double([[1e-9, 0.4, 0.6, 1e-9]]).log().requires_grad_()
    DistributionFocalLoss()(x, double([1.6])).backward()
    assert x.grad.abs().max() < 1e-8
    beyond = DistributionFocalLoss()(z[:2], double([-3.0, 99.0]))
    torch.testing.assert_close(beyond, DistributionFocalLoss()(z[:2], double([0.0, 4.0])))


@pytest.mark.parametrize("kind", [QualityFocalLoss, VarifocalLoss])
def test_probabilities_add_up_to_one(kind):
    p = kind().probabilities(double([[-400.0, -800.0], [1.0, 2.0]]))
    assert p.sum(1).tolist() == pytest.approx([1.0, 1.0])
    assert p[1].tolist() == pytest.approx([sigmoid(z) / (sigmoid(1) + sigmoid(2)) for z in (1.0, 2.0)])


def test_wrong_words_are_refused():
    with pytest.raises(UsageError, match="beta"):
        QualityFocalLoss(beta=0.0)
    with pytest.raises(UsageError, match="gamma"):
        VarifocalLoss(gamma=0.0)
    with pytest.raises(UsageError, match="average"):
        DistributionFocalLoss("average")
    with pytest.raises(UsageError, match="two scores"):
        DistributionFocalLoss()(torch.zeros(1, 1), torch.zeros(1))
