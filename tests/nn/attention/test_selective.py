import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal

from .plain import batch_norm, means, narrowed, pointwise, relu, shaken, sigmoid, softmax

X = drawn(2, 4, 6, 5)


@pytest.mark.parametrize("name", ["sknet"])
@pytest.mark.parametrize("branches", [2, 3])
def test_branches_share_each_channel(name, branches):
    layer = shaken(name, channels=4, branches=branches, groups=2, least=3)
    maps = []
    for reach, branch in enumerate(layer.branches, 1):
        y = conv(X, branch[0].weight, None, 1, reach, reach, 2)
        maps.append(relu(batch_norm(branch[1], y)))
    z = narrowed(layer.squeeze, means(sum(maps)), norm=True)
    scores = pointwise(layer.score, z).reshape(2, branches, 4, 1, 1)
    equal(layer(X), sum(softmax(scores, 1)[:, m] * maps[m] for m in range(branches)))
    equal(layer.shares(torch.as_tensor(np.stack(maps, 1))).sum(1), torch.ones(2, 4, 1, 1, dtype=torch.double))


@pytest.mark.parametrize("name", ["epsa"])
def test_quarters_of_four_sizes(name):
    layer = shaken(name, channels=8, groups=(1, 2, 1, 2), reduction=1)
    x, maps = drawn(2, 8, 6, 5), []
    for k, groups, layer_of in zip((3, 5, 7, 9), (1, 2, 1, 2), layer.convs, strict=True):
        maps.append(conv(x, layer_of.weight, None, 1, k // 2, 1, groups))
    weights = softmax(np.stack([sigmoid(narrowed(layer.excite, means(m))) for m in maps], 1), 1)
    equal(layer(x), np.concatenate([maps[s] * weights[:, s] for s in range(4)], 1))
    assert np.allclose(weights.sum(1), 1)


@pytest.mark.parametrize("name", ["epsa"])
def test_parameters_of_the_default(name):
    layer = create(name, channels=64)
    convs = 16 * 64 * (9 + 25 / 4 + 49 / 8 + 81 / 16)
    assert sum(p.numel() for p in layer.convs.parameters()) == convs


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sknet", {"branches": 1}),
        ("sknet", {"groups": 3}),
        ("epsa", {"groups": (1, 1)}),
        ("epsa", {"groups": (1, 4, 8, 16)}),
    ],
)
def test_wrong_words(name, words):
    with pytest.raises(UsageError):
        create(name, **({"channels": 8} | words))
