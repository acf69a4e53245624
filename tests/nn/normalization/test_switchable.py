from math import exp, sqrt

import pytest
import torch
import torch.nn.functional as F

from torchatlas import create
from torchatlas.engine.errors import UsageError

X = torch.randn(3, 2, 4, 2, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 2 + 5
EPS = 1e-5


def moments(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sum((v - mean) ** 2 for v in values) / len(values)


def softmax(logits: list[float]) -> list[float]:
    total = sum(map(exp, logits))
    return [exp(z) / total for z in logits]


def by_hand(logits: tuple[list[float], list[float]], batch: list[tuple[float, float]]) -> list[float]:
    w, v = map(softmax, logits)
    found = []
    for n in range(3):
        layer = moments(X[n].flatten().tolist())
        for c in range(2):
            values = X[n, c].flatten().tolist()
            kinds = (moments(values), layer, batch[c])
            mean = sum(share * kind[0] for share, kind in zip(w, kinds, strict=True))
            variance = sum(share * kind[1] for share, kind in zip(v, kinds, strict=True))
            found += [(x - mean) / sqrt(variance + EPS) for x in values]
    return found


def test_statistics_are_mixed_by_softmax_weights():
    norm, logits = (
        create("switchable_norm", num_features=2).double(),
        ([0.25, -1.0, 0.75], [1.5, 0.125, -0.5]),
    )
    with torch.no_grad():
        norm.mean_weight.copy_(torch.tensor(logits[0])), norm.var_weight.copy_(torch.tensor(logits[1]))
    own = [moments(X[:, c].flatten().tolist()) for c in range(2)]
    assert norm(X).flatten().tolist() == pytest.approx(by_hand(logits, own), abs=1e-12)
    count = 3 * 4 * 2
    kept = [(0.1 * m, 0.9 + 0.1 * v * count / (count - 1)) for m, v in own]
    logits = (norm.mean_weight.tolist(), norm.var_weight.tolist())
    assert norm.eval()(X).flatten().tolist() == pytest.approx(by_hand(logits, kept), abs=1e-12)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_weight_gives_instance_layer_or_batch_normalisation(place):
    norm = create("switchable_norm", num_features=2).double()
    with torch.no_grad():
        for weight in (norm.mean_weight, norm.var_weight):
            weight.fill_(-1e3)[place] = 1e3
    expected = (F.instance_norm(X), F.layer_norm(X, X.shape[1:]), F.batch_norm(X, None, None, training=True))
    assert torch.allclose(norm(X), expected[place])


def test_a_map_without_positions_is_told():
    with pytest.raises(UsageError, match="positions"):
        create("switchable_norm", num_features=2)(torch.randn(4, 2))
