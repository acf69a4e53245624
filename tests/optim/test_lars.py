from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def length(values):
    return sqrt(sum(x * x for x in values))


def by_hand(problem, rate, momentum=0.9, decay=0.0, trust=0.001, skip=()):
    """The paper's algorithm in plain Python; `rate` is a function of the step."""
    ends = []
    for k, w in enumerate(problem.starts):
        v = [0.0] * len(w)
        for t, gradients in enumerate(problem.gradients):
            g, beta = gradients[k], 0.0 if k in skip else decay
            local = trust * length(w) / (length(g) + beta * length(w))
            if k in skip or not length(w) or not length(g):
                local = 1.0
            v = [momentum * a + rate(t) * local * (b + beta * x) for a, b, x in zip(v, g, w, strict=True)]
            w = [x - a for x, a in zip(w, v, strict=True)]
        ends.append(w)
    return ends


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.3}, {"momentum": 0.0}, {"trust": 0.1, "weight_decay": 2.0}]
)
def test_thirty_steps_are_the_papers(problem, walk, options):
    said = {"decay" if k == "weight_decay" else k: v for k, v in options.items()}
    for got, expected in zip(
        walk("lars", lr=2.0, **options), by_hand(problem, lambda t: 2.0, **said), strict=True
    ):
        assert got == pytest.approx(expected, rel=1e-9)


def test_the_rate_stands_inside_the_momentum(problem, walk):
    """A schedule tells the two places apart: what is in the buffer keeps the rate of its own step."""

    def rate(t):
        return 4.0 / (t + 1)

    for got, expected in zip(walk("lars", rates=rate), by_hand(problem, rate), strict=True):
        assert got == pytest.approx(expected, rel=1e-9)


def test_vectors_may_be_skipped(problem, walk):
    expected = by_hand(problem, lambda t: 0.01, decay=0.3, skip=(1,))
    got = walk("lars", lr=0.01, weight_decay=0.3, skip_vectors=True)
    for mine, theirs in zip(got, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-9)


def test_the_first_step_is_a_share_of_the_length_whatever_the_gradient():
    ends = []
    for size in (1.0, 1e-6, 1e6):
        weight = torch.nn.Parameter(torch.linspace(-1, 2, 12, dtype=torch.double).reshape(3, 4))
        before = weight.detach().clone()
        weight.grad = size * torch.linspace(3, -1, 12, dtype=torch.double).reshape(3, 4)
        create("lars", [weight], lr=5.0).step()
        assert (weight.detach() - before).norm().item() == pytest.approx(5 * 0.001 * before.norm().item())
        ends.append(weight.flatten().tolist())
    assert ends[1] == pytest.approx(ends[0]) and ends[2] == pytest.approx(ends[0])


def test_zeros_are_left_by_a_plain_step():
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.ones(2, 2)
    create("lars", [weight], lr=0.5).step()
    assert weight.tolist() == [[-0.5, -0.5], [-0.5, -0.5]]


def test_wrong_options_are_refused():
    for options, word in (({"momentum": 1.0}, "momentum"), ({"trust": -1.0}, "trust")):
        with pytest.raises(UsageError, match=word):
            create("lars", [torch.nn.Parameter(torch.ones(1))], **options)
