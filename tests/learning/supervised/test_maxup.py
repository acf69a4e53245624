import math

import pytest
import torch
from torch import nn

from torchatlas.data.augmentation import GaussianNoise, Mixup
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.learning.supervised import MaxUp, Supervised

X, Y = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3
TABLE = Spec("table", (4,), "classification", 3)


def by_hand(network, copies, seed, weight=None):
    """Each sample's worst copy, one sample after another."""
    torch.manual_seed(seed)
    noise = 0.5 * torch.randn(6 * copies, 4)
    total, weights = 0.0, weight or [1.0] * 6
    for i in range(6):
        losses = []
        for k in range(copies):
            z = network(X[i] + noise[i * copies + k]).tolist()
            losses.append(math.log(sum(math.exp(v) for v in z)) - z[int(Y[i])])
        total += weights[i] * max(losses)
    return total / sum(weights)


@pytest.mark.parametrize("copies", [1, 3])
def test_the_worst_copy_of_each_sample_counts(copies):
    made = MaxUp(nn.Linear(4, 3), GaussianNoise(0.5), copies)
    expected = by_hand(made.network, copies, 5)
    torch.manual_seed(5)
    assert made.loss("all", (X, Y)).item() == pytest.approx(expected, rel=1e-5)
    weight = torch.tensor([1.0, 0.0, 2.0, 3.0, 1.0, 0.5])
    expected = by_hand(made.network, copies, 5, weight.tolist())
    torch.manual_seed(5)
    assert made.loss("all", (X, Y, weight)).item() == pytest.approx(expected, rel=1e-5)


def test_without_augmentation_it_is_plain_learning():
    made = MaxUp(nn.Linear(4, 3), GaussianNoise(0.0), 3)
    plain = Supervised(made.network)
    torch.testing.assert_close(made.loss("all", (X, Y)), plain.loss("all", (X, Y)))
    assert torch.equal(made.predict(X), plain.predict(X))


def test_it_is_made_for_data_and_says_what_does_not_fit():
    made = MaxUp.for_data(
        TABLE, backbone="softmax_regression", views=("gaussian_noise", "gaussian_noise"), copies=2
    )
    assert len(made.augment) == 2 and made.copies == 2 and not made.indivisible()
    for wrong in (
        lambda: MaxUp(nn.Linear(4, 3), Mixup()),
        lambda: MaxUp(nn.Linear(4, 3), GaussianNoise(), 0),
        lambda: MaxUp(nn.Linear(4, 3), GaussianNoise(), loss=lambda p, t: p.sum()),
        lambda: MaxUp.for_data(Spec("text", (8,), "language", 5)),
    ):
        with pytest.raises(UsageError):
            wrong()
