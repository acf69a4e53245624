"""Saliency against its formula: closed forms of the score's gradient, and finite differences."""

import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.inspection.explanations import saliency

DRAW = np.random.default_rng(0)


def test_of_a_linear_model_it_is_the_weights_size():
    w, x = DRAW.normal(size=(4, 7)), DRAW.normal(size=(3, 7))
    found = saliency(lambda z: z @ torch.from_numpy(w).T, torch.from_numpy(x), torch.tensor([2, 0, 3]))
    np.testing.assert_allclose(found.numpy(), np.abs(w)[[2, 0, 3]], atol=1e-14)


def test_of_an_image_it_is_the_steepest_channels():
    w = DRAW.normal(size=(4, 2, 3, 5))
    found = saliency(
        lambda z: torch.einsum("kchw,bchw->bk", torch.from_numpy(w), z),
        torch.from_numpy(DRAW.normal(size=(2, 2, 3, 5))),
        torch.tensor([1, 3]),
    )
    np.testing.assert_allclose(found.numpy(), np.abs(w).max(1)[[1, 3]], atol=1e-14)


def test_of_a_curved_model_it_is_the_scores_gradient_not_the_probabilitys():
    a, b = DRAW.normal(size=(6, 5)), DRAW.normal(size=(3, 6))

    def score(z):
        return np.tanh(z @ a.T) @ b.T

    x, y, tiny = DRAW.normal(size=(4, 5)), [0, 1, 2, 0], 1e-6
    want = np.stack(
        [
            [(score(x[i] + tiny * e)[k] - score(x[i] - tiny * e)[k]) / (2 * tiny) for e in np.eye(5)]
            for i, k in enumerate(y)
        ]
    )
    net = nn.Sequential(nn.Linear(5, 6, bias=False), nn.Tanh(), nn.Linear(6, 3, bias=False)).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.from_numpy(a))
        net[2].weight.copy_(torch.from_numpy(b))
    found = saliency(net, torch.from_numpy(x), torch.tensor(y))
    np.testing.assert_allclose(found.numpy(), np.abs(want), atol=1e-8)


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_a_model_of_one_value_needs_no_class(shape):
    w = torch.from_numpy(DRAW.normal(size=3))
    found = saliency(lambda z: (z @ w).view(shape), torch.zeros(5, 3, dtype=torch.float64))
    assert torch.equal(found, w.abs().expand(5, 3))


def test_a_model_that_heeds_no_input_is_refused():
    with pytest.raises(UsageError, match="no gradient"):
        saliency(lambda z: torch.ones(len(z), 3), torch.zeros(5, 3))
