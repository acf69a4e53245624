from math import exp, log

import pytest
import torch

from torchatlas import create

SCORES = [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0]]


def logs(scores: list[float]) -> list[float]:
    total = log(sum(exp(z) for z in scores))
    return [z - total for z in scores]


def tensor(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.double)


def test_cross_entropy_is_the_surprise_at_the_true_class():
    expected = [-logs(SCORES[0])[2], -logs(SCORES[1])[0]]
    loss = create("cross_entropy", reduction="none")(tensor(SCORES), torch.tensor([2, 0]))
    assert loss.tolist() == pytest.approx(expected, abs=1e-12)
    assert loss[0].item() == pytest.approx(2.407606, abs=5e-7)
    assert create("cross_entropy")(tensor(SCORES), torch.tensor([2, 0])).item() == pytest.approx(
        sum(expected) / 2
    )


def test_two_classes_are_the_binary_cross_entropy_of_the_difference():
    pair = tensor([[0.3, -1.2], [2.0, 5.0]])
    binary = torch.nn.BCEWithLogitsLoss()(pair[:, 1] - pair[:, 0], tensor([1.0, 0.0]))
    assert create("cross_entropy")(pair, torch.tensor([1, 0])).item() == pytest.approx(
        binary.item(), abs=1e-12
    )


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_smoothed_labels_are_spread_over_all_classes(share):
    targets = [[share / 3 + (1 - share) * (k == y) for k in range(3)] for y in (2, 0)]
    each = [
        -sum(p * q for p, q in zip(t, logs(z), strict=True)) for t, z in zip(targets, SCORES, strict=True)
    ]
    options = {} if share == 0.1 else {"label_smoothing": share}
    loss = create("label_smoothing", **options)(tensor(SCORES), torch.tensor([2, 0]))
    assert loss.item() == pytest.approx(sum(each) / 2, abs=1e-12)


def test_kl_divergence_is_a_mean_over_samples():
    target = [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]
    each = [
        sum(p * (log(p) - q) for p, q in zip(t, logs(z), strict=True))
        for t, z in zip(target, SCORES, strict=True)
    ]
    predicted = tensor([logs(z) for z in SCORES])
    assert create("kl_divergence")(predicted, tensor(target)).item() == pytest.approx(
        sum(each) / 2, abs=1e-12
    )
    assert create("kl_divergence")(predicted, predicted.exp()).item() == pytest.approx(0, abs=1e-12)
