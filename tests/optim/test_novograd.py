from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def by_hand(problem, lr, betas=(0.95, 0.98), eps=1e-8, decay=0.0):
    """The paper's algorithm; the epsilon stands outside of the root."""
    ends = []
    for k, w in enumerate(problem.starts):
        m, v = [0.0] * len(w), None
        for gradients in problem.gradients:
            g = gradients[k]
            square = sum(x * x for x in g)
            v = square if v is None else betas[1] * v + (1 - betas[1]) * square
            m = [betas[0] * a + b / (sqrt(v) + eps) + decay * x for a, b, x in zip(m, g, w, strict=True)]
            w = [x - lr * a for x, a in zip(w, m, strict=True)]
        ends.append(w)
    return ends


@pytest.mark.parametrize(
    "options",
    [{}, {"weight_decay": 0.2}, {"betas": (0.9, 0.25)}, {"eps": 50.0, "betas": (0.5, 0.8)}],
)
def test_thirty_steps_are_the_papers(problem, walk, options):
    said = {"decay" if k == "weight_decay" else k: v for k, v in options.items()}
    for got, expected in zip(walk("novograd", lr=0.3, **options), by_hand(problem, 0.3, **said), strict=True):
        assert got == pytest.approx(expected, rel=1e-9)


def test_each_tensor_first_moves_by_the_rate_whatever_its_gradient():
    weights = [torch.nn.Parameter(torch.ones(3, 4, dtype=torch.double)) for _ in range(3)]
    for k, weight in enumerate(weights):
        weight.grad = torch.linspace(-1, 2, 12, dtype=torch.double).reshape(3, 4) * 1000.0**k
    create("novograd", weights, lr=0.02, eps=0.0).step()
    for weight in weights:
        assert (weight.detach() - 1).norm().item() == pytest.approx(0.02)
        assert torch.allclose(weight, weights[0])


def test_a_layer_costs_one_number_more_than_momentum():
    weight = torch.nn.Parameter(torch.ones(30, 20))
    optimizer = create("novograd", [weight])
    weight.grad = torch.ones(30, 20)
    optimizer.step()
    assert sum(value.numel() for value in optimizer.state[weight].values()) == 30 * 20 + 1


def test_wrong_options_are_refused():
    for options, word in (({"betas": (0.9, 1.0)}, "beta2"), ({"eps": -1.0}, "eps")):
        with pytest.raises(UsageError, match=word):
            create("novograd", [torch.nn.Parameter(torch.ones(1))], **options)
