from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def by_hand(problem, lr, betas=(0.9, 1e-4), eps=1e-12, coupled=0.0, decoupled=0.0):
    """As the paper writes it: the growing sum, divided by what it grew by."""
    ends = []
    for k, w in enumerate(problem.starts):
        m, v = [0.0] * len(w), [0.0] * len(w)
        for t, gradients in enumerate(problem.gradients, 1):
            g = [b + coupled * x for b, x in zip(gradients[k], w, strict=True)]
            m = [betas[0] * a + (1 - betas[0]) * b for a, b in zip(m, g, strict=True)]
            v = [(1 + betas[1]) * a + betas[1] * b * b for a, b in zip(v, g, strict=True)]
            hat = [a / ((1 + betas[1]) ** t - 1) for a in v]
            w = [
                x - lr * decoupled * x - lr * (a / (sqrt(h) + eps) if a else 0.0)
                for x, a, h in zip(w, m, hat, strict=True)
            ]
        ends.append(w)
    return ends


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("adax", {}, {}),
        ("adax", {"weight_decay": 0.3}, {"coupled": 0.3}),
        ("adax", {"betas": (0.5, 0.2), "eps": 0.1}, {"betas": (0.5, 0.2), "eps": 0.1}),
        ("adaxw", {}, {"decoupled": 0.05}),
        ("adaxw", {"weight_decay": 0.4}, {"decoupled": 0.4}),
    ],
)
def test_thirty_steps_are_the_papers(problem, walk, name, options, said):
    for got, expected in zip(walk(name, lr=0.2, **options), by_hand(problem, 0.2, **said), strict=True):
        assert got == pytest.approx(expected, rel=1e-7)


def test_a_gradient_that_stays_is_its_own_mean():
    """Then v̂ = g² at every step; and the state does not grow, however many there are."""
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = create("adax", [weight], lr=0.0)
    for _ in range(5):
        weight.grad = torch.tensor([3.0, -0.5])
        optimizer.step()
    assert optimizer.state[weight]["square"].tolist() == pytest.approx([9.0, 0.25])
    optimizer.state[weight]["step"].fill_(1e8)
    optimizer.step()
    assert torch.isfinite(weight).all() and optimizer.state[weight]["square"].tolist() == pytest.approx(
        [9, 0.25]
    )


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="beta2"):
        create("adax", [torch.nn.Parameter(torch.ones(1))], betas=(0.9, -1e-4))
