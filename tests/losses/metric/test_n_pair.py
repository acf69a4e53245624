import pytest
import torch

from embedded import batch, dot, log_sum, mean, soft, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import NPairLoss


@pytest.mark.parametrize("length", [0.0, 0.02])
@pytest.mark.parametrize("on_sphere", [False, True])
@pytest.mark.parametrize("scale", [1.0, 6.0])
def test_it_is_a_cross_entropy_of_each_pair(scale, on_sphere, length):
    x, y = batch(scale=scale)
    rows, losses, n = [unit(r) if on_sphere else r for r in x.tolist()], [], range(9)
    for a in n:
        for p in n:
            if a != p and y[a] == y[p]:
                others = [dot(rows[a], rows[k]) for k in n if y[k] != y[a]]
                entropy = log_sum([*others, dot(rows[a], rows[p])]) - dot(rows[a], rows[p])
                losses.append(entropy + length * (dot(rows[a], rows[a]) + dot(rows[p], rows[p])) / 2)
    assert NPairLoss(length, on_sphere)(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


def test_one_negative_makes_it_softplus():
    x, y = batch(rows=3)[0], torch.tensor([0, 0, 1])
    a, p, n = x.tolist()
    expected = (soft(dot(a, n) - dot(a, p)) + soft(dot(p, n) - dot(a, p))) / 2
    assert NPairLoss(0.0)(x, y).item() == pytest.approx(expected, rel=1e-12)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="-1"):
        NPairLoss(-1.0)
