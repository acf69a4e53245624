"""Guided backpropagation and the deconvnet against their rules by hand, in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.inspection.explanations import (
    deconvnet_vis,
    gradcam,
    guided_backprop,
    guided_gradcam,
    saliency,
)

DRAW = np.random.default_rng(0)
W1, W2, W3 = DRAW.normal(size=(9, 5)), DRAW.normal(size=(8, 9)), DRAW.normal(size=(3, 8))
X, Y = DRAW.normal(size=(6, 5)), [0, 1, 2, 0, 1, 2]


class TwoReLUs(nn.Module):
    """One ReLU as a layer and one as a function."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        w1, w2, w3 = map(torch.from_numpy, (W1, W2, W3))
        return F.relu(self.relu(x @ w1.T) @ w2.T) @ w3.T


def by_hand(rule):
    f1 = X @ W1.T
    f2 = np.maximum(f1, 0) @ W2.T
    signal = rule(f2, W3[Y])
    return np.abs(rule(f1, signal @ W2) @ W1)


RULES = [
    (guided_backprop, lambda f, r: r * (f > 0) * (r > 0)),
    (deconvnet_vis, lambda f, r: r * (r > 0)),
    (saliency, lambda f, r: r * (f > 0)),
]


@pytest.mark.parametrize(("explain", "rule"), RULES)
def test_the_rule_at_every_relu(explain, rule):
    found = explain(TwoReLUs(), torch.from_numpy(X), torch.tensor(Y))
    np.testing.assert_allclose(found.numpy(), by_hand(rule), atol=1e-12)


def test_a_pools_switches_carry_the_signal_back():
    """Only the largest pixel of a window gets it, through the transposed filter."""
    net = nn.Sequential(
        nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2)
    )
    with torch.no_grad():
        net[0].weight.fill_(3.0)
        net[4].weight.copy_(torch.tensor([[1.0, -2.0], [-1.0, 1.0]]))
    x = torch.tensor([[[[1.0, 5.0, 2.0, 0.0], [4.0, 3.0, 7.0, 6.0]]]])
    found = deconvnet_vis(net, x, torch.tensor([0]))
    assert found[0].tolist() == [[0, 3, 0, 0], [0, 0, 0, 0]]  # the second window speaks against the class


def test_guided_gradcam_is_the_product():
    net = nn.Sequential(
        nn.Conv2d(2, 5, 3, 2),
        nn.ReLU(),
        nn.Conv2d(5, 6, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )
    x, y = torch.randn(2, 2, 15, 13), torch.tensor([1, 2])
    found = guided_gradcam(net, x, y, layer="1")
    torch.testing.assert_close(found, gradcam(net, x, y, layer="1") * guided_backprop(net, x, y))
    assert bool((found > 0).any()) and bool((found[gradcam(net, x, y, layer="1") == 0] == 0).all())


@pytest.mark.parametrize("explain", [guided_backprop, deconvnet_vis])
def test_a_model_without_a_relu_is_refused(explain):
    with pytest.raises(UsageError, match="no ReLU"):
        explain(nn.Linear(3, 2), torch.zeros(1, 3))
