"""The highway network against its formula in NumPy, and its depth."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from torchatlas import create


def test_the_formula():
    net = create("highway", in_features=6, num_classes=3, width=5, depth=3).double()
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    state = {name: value.numpy() for name, value in net.state_dict().items()}

    def affine(name, h):
        return h @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    h = np.maximum(affine("body.0.0", x.reshape(4, 6)), 0)
    for k in (1, 2, 3):
        gate = 1 / (1 + np.exp(-affine(f"body.{k}.gate", h)))
        h = gate * np.maximum(affine(f"body.{k}.body.0", h), 0) + (1 - gate) * h
    np.testing.assert_allclose(net(torch.from_numpy(x)).detach().numpy(), affine("head", h), atol=1e-13)
    assert sum(p.numel() for p in net.parameters()) == 7 * 5 + 2 * 3 * 6 * 5 + 6 * 3


def test_fifty_layers_learn_where_plain_ones_do_not():
    torch.manual_seed(0)
    x, y = torch.randn(64, 10), torch.arange(64) % 2
    ends = {}
    for name, words in (
        ("highway", {"width": 20, "depth": 50, "gate_bias": -4.0}),
        ("mlp", {"hidden": (20,) * 51}),
    ):
        net = create(name, in_features=10, num_classes=2, **words)
        optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
        for _ in range(150):
            optimizer.zero_grad()
            loss = cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
        ends[name] = loss.item()
    assert ends["highway"] < 0.1 and ends["mlp"] > 0.6
