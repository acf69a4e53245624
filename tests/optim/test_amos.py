from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

SCALES = (sqrt(2 / 4), 0.5)  # of a matrix with 4 inputs, of a vector


def by_hand(problem, lr, beta=0.999, scales=SCALES):
    """The paper's algorithm with one number of v and b for a tensor."""
    ends = []
    for k, w in enumerate(problem.starts):
        v = b = 0.0
        for t, gradients in enumerate(problem.gradients, 1):
            g = gradients[k]
            mean = sum(x * x for x in g) / len(g)
            v = beta * v + (1 - beta) * mean
            r = (1 - beta**t) / v
            c, d = 1 / sqrt(1 + sqrt(lr) * b / 4), 1 / (1 + sqrt(lr * scales[k]) * b / 4)
            rho = c * lr**2 * r * mean
            w = [x - d * (lr * scales[k] * sqrt(r) * y + rho * x / 2) for x, y in zip(w, g, strict=True)]
            b = b * (1 + rho) + rho
        ends.append(w)
    return ends


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, {}),
        ({"lr": 1.5}, {"lr": 1.5}),
        ({"beta": 0.5}, {"beta": 0.5}),
        ({"scale": 0.03}, {"scales": (0.03, 0.03)}),
    ],
)
def test_thirty_steps_are_the_papers(problem, walk, options, said):
    for got, expected in zip(
        walk("amos", **{"lr": 0.3} | options), by_hand(problem, **{"lr": 0.3} | said), strict=True
    ):
        assert got == pytest.approx(expected, rel=1e-9)


def test_kernels_count_their_inputs_by_position():
    """In a kernel of 8 x 2 x 3 x 3, each output has 18 inputs."""
    kernel = torch.nn.Parameter(torch.zeros(8, 2, 3, 3, dtype=torch.double))
    kernel.grad = torch.ones_like(kernel)
    create("amos", [kernel], lr=0.1).step()
    assert kernel.flatten()[0].item() == pytest.approx(-0.1 * sqrt(2 / 18))


def test_a_tensor_costs_two_numbers_and_a_count():
    weight = torch.nn.Parameter(torch.ones(30, 20))
    optimizer = create("amos", [weight])
    weight.grad = torch.ones(30, 20)
    optimizer.step()
    assert sum(value.numel() for value in optimizer.state[weight].values()) == 3


def test_wrong_options_are_refused():
    for options, word in (({"beta": 1.0}, "beta"), ({"scale": -1.0}, "scale")):
        with pytest.raises(UsageError, match=word):
            create("amos", [torch.nn.Parameter(torch.ones(1))], **options)
