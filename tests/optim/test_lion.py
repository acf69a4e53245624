import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def by_hand(problem, lr, betas=(0.9, 0.99), decay=0.0):
    ends = []
    for k, w in enumerate(problem.starts):
        m = [0.0] * len(w)
        for gradients in problem.gradients:
            g = gradients[k]
            ahead = [betas[0] * a + (1 - betas[0]) * b for a, b in zip(m, g, strict=True)]
            w = [x - lr * ((u > 0) - (u < 0) + decay * x) for x, u in zip(w, ahead, strict=True)]
            m = [betas[1] * a + (1 - betas[1]) * b for a, b in zip(m, g, strict=True)]
        ends.append(w)
    return ends


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.5}, {"betas": (0.3, 0.8)}])
def test_thirty_steps_are_the_papers(problem, walk, options):
    said = {"decay" if k == "weight_decay" else k: v for k, v in options.items()}
    for got, expected in zip(walk("lion", lr=0.2, **options), by_hand(problem, 0.2, **said), strict=True):
        assert got == pytest.approx(expected, rel=1e-12)


def test_every_weight_moves_by_the_rate_or_rests():
    weight = torch.nn.Parameter(torch.zeros(4, dtype=torch.double))
    optimizer = create("lion", [weight], lr=0.01)
    for size in (1.0, 1e-9):
        before = weight.detach().clone()
        weight.grad = size * torch.tensor([5.0, -1e-4, 0.0, 1e6], dtype=torch.double)
        optimizer.step()
        assert (weight.detach() - before).tolist() == pytest.approx([-0.01, 0.01, 0.0, -0.01])


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="beta1"):
        create("lion", [torch.nn.Parameter(torch.ones(1))], betas=(1.0, 0.9))
