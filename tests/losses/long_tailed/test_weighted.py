from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.losses.long_tailed import (
    ClassBalancedLoss,
    CostSensitiveCE,
    FocalLoss,
    InverseClassFrequency,
    SigmoidFocalLoss,
)

COUNTS = (100, 10, 1)
SCORES, TARGET = [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0], [30.0, 0.2, -25.0], [0.3, 0.2, 0.1]], [2, 1, 2, 0]


def surprise(z, y):
    return log(sum(exp(x) for x in z)) - z[y]


def double(values):
    return torch.tensor(values, dtype=torch.double)


def inverse(counts):
    return [sum(counts) / n for n in counts]


def sensitive(counts):
    return [min(counts) / n for n in counts]


def effective(beta):
    def weights(counts):
        numbers = []
        for n in counts:
            total = 0.0
            for _ in range(n):  # the recursion of the effective number
                total = 1 + beta * total
            numbers.append(total)
        inverse = [1 / number for number in numbers]
        return [len(counts) * w / sum(inverse) for w in inverse]

    return weights


LOSSES = [
    (InverseClassFrequency, inverse),
    (CostSensitiveCE, sensitive),
    *((lambda n, b=b, **o: ClassBalancedLoss(n, b, **o), effective(b)) for b in (0.0, 0.9, 0.999, 0.9999)),
]


@pytest.mark.parametrize("counts", [COUNTS, (3, 700, 41)])
@pytest.mark.parametrize("make, weights", LOSSES)
def test_each_row_is_weighed_by_its_class_and_the_mean_is_over_rows(make, weights, counts):
    w = weights(counts)
    each = [w[y] * surprise(z, y) for z, y in zip(SCORES, TARGET, strict=True)]
    none = make(counts, reduction="none")(double(SCORES), torch.tensor(TARGET))
    assert none.tolist() == pytest.approx(each, rel=1e-6)
    assert make(counts)(double(SCORES), torch.tensor(TARGET)).item() == pytest.approx(sum(each) / 4, rel=1e-6)


def test_the_known_weights():
    assert InverseClassFrequency(COUNTS).weights.tolist() == pytest.approx([1.11, 11.1, 111.0])
    assert CostSensitiveCE(COUNTS).weights.tolist() == pytest.approx([0.01, 0.1, 1.0])
    want = [0.028363, 0.271256, 2.700381]
    assert ClassBalancedLoss(COUNTS, 0.999).weights.tolist() == pytest.approx(want, abs=1e-6)
    near_one = ClassBalancedLoss(COUNTS, 1 - 1e-9).weights.tolist()
    assert near_one == pytest.approx([3 / 111, 30 / 111, 300 / 111], rel=1e-5)


def test_what_they_are_on_balanced_classes():
    z, y = torch.randn(30, 5).double() * 4, torch.arange(30) % 5
    plain = F.cross_entropy(z, y)
    torch.testing.assert_close(InverseClassFrequency([7] * 5)(z, y), 5 * plain)
    torch.testing.assert_close(CostSensitiveCE([7] * 5)(z, y), plain)
    torch.testing.assert_close(ClassBalancedLoss([7] * 5)(z, y), plain)
    torch.testing.assert_close(ClassBalancedLoss([1, 2, 3, 4, 5], beta=0.0)(z, y), plain)


def test_the_scale_is_not_lost_as_in_pytorch_s_mean():
    z, y = torch.randn(30, 3).double(), torch.arange(30) % 3
    ratio = InverseClassFrequency(COUNTS)(z, y) / CostSensitiveCE(COUNTS)(z, y)
    assert ratio.item() == pytest.approx(111.0, rel=1e-6)
    theirs = [F.cross_entropy(z, y, weight=double(w(COUNTS))) for w in (inverse, sensitive)]
    assert theirs[0].item() == pytest.approx(theirs[1].item())


def test_the_class_balanced_loss_weighs_other_losses():
    z, y = torch.randn(12, 3).double(), torch.arange(12) % 3
    w = double(effective(0.99)(COUNTS))[y]
    focal = ClassBalancedLoss(COUNTS, 0.99, loss="focal_loss")
    torch.testing.assert_close(
        focal(z, y), (w * FocalLoss(reduction="none")(z, y)).mean(), rtol=1e-6, atol=1e-6
    )
    loss = ClassBalancedLoss(COUNTS, 0.99, loss=lambda reduction: SigmoidFocalLoss(0.5, None, reduction))
    each = SigmoidFocalLoss(0.5, None, "none")(z, y).sum(1)  # one-vs-all terms are added up
    torch.testing.assert_close(loss(z, y), (w * each).mean(), rtol=1e-6, atol=1e-6)
    p = loss.probabilities(z)
    torch.testing.assert_close(p, z.sigmoid() / z.sigmoid().sum(1, keepdim=True))
    torch.testing.assert_close(focal.probabilities(z), z.softmax(1))


@pytest.mark.parametrize("kind", [InverseClassFrequency, CostSensitiveCE, ClassBalancedLoss])
def test_a_class_without_rows_counts_as_one(kind):
    assert torch.equal(kind((5, 0, 2)).weights, kind((5, 1, 2)).weights)


@pytest.mark.parametrize("kind", [InverseClassFrequency, CostSensitiveCE, ClassBalancedLoss])
def test_wrong_words_are_refused(kind):
    with pytest.raises(UsageError, match="average"):
        kind(COUNTS, reduction="average")
    for counts in ((), (3, -1)):
        with pytest.raises(UsageError, match="class_counts"):
            kind(counts)
    with pytest.raises(UsageError, match="3 scores a row, and there are 4"):
        kind(COUNTS)(torch.zeros(2, 4), torch.tensor([0, 1]))
    with pytest.raises(UsageError, match="beta"):
        ClassBalancedLoss(COUNTS, beta=1.0)
