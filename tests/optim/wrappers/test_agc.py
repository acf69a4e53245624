from math import inf, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.engine.gradient import calls_often
from torchatlas.optim.wrappers.agc import unit_norms


def length(numbers):
    return sqrt(sum(x * x for x in numbers))


def by_hand(problem, lr, clipping, eps):
    """Plain steps by what is left of each row of the matrix, and of the vector as a whole."""
    ends = []
    for number, w in enumerate(problem.starts):
        w = list(w)
        units = [range(k, k + 4) for k in (0, 4, 8)] if number == 0 else [range(5)]
        for gradients in problem.gradients:
            g = list(gradients[number])
            for unit in units:
                longest = clipping * max(length([w[i] for i in unit]), eps)
                share = min(1.0, longest / length([g[i] for i in unit]))
                for i in unit:
                    g[i] *= share
            w = [x - lr * y for x, y in zip(w, g, strict=True)]
        ends.append(w)
    return ends


@pytest.mark.parametrize(("clipping", "eps"), [(0.01, 1e-3), (0.5, 10.0), (20.0, 1e-3)])
def test_thirty_steps_are_the_papers(problem, walk, clipping, eps):
    got = walk("agc", base="sgd", lr=0.3, clipping=clipping, eps=eps)
    for mine, expected in zip(got, by_hand(problem, 0.3, clipping, eps), strict=True):
        assert mine == pytest.approx(expected, rel=1e-9)


def test_without_a_limit_it_is_the_base(walk):
    assert walk("agc", base="adam", lr=0.1, clipping=inf) == walk("adam", lr=0.1)


@pytest.mark.parametrize(
    ("shape", "units"),
    [
        ((), 1),
        ((4,), 1),
        ((3, 4), 3),
        ((3, 4, 2), 3),
        ((3, 4, 2, 2), 3),
        ((5, 1, 3, 3), 5),
        ((5, 1, 1, 1), 1),
        ((1, 4), 1),
    ],
)
def test_a_unit_is_what_leads_to_one_output(shape, units):
    x = torch.randn(shape, dtype=torch.double)
    norms = unit_norms(x)
    assert norms.numel() == units and torch.broadcast_shapes(norms.shape, shape) == torch.Size(shape)
    assert norms.square().sum().item() == pytest.approx(x.square().sum().item())


def test_a_group_has_a_limit_of_its_own():
    body, head = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [{"params": [body]}, {"params": [head], "clipping": inf}]
    optimizer = create("agc", groups, base="sgd", lr=1.0)
    body.grad, head.grad = torch.full((1,), 0.5), torch.full((1,), 0.5)
    optimizer.step()
    assert body.item() == pytest.approx(0.99) and head.item() == 0.5


def test_gradients_are_put_back_even_after_a_failure():
    weight = torch.nn.Parameter(torch.ones(2))
    grads = []

    def closure():
        grads.append(torch.full((2,), 5.0))
        weight.grad = grads[-1]
        if len(grads) == 3:
            raise KeyError("the third call")
        return torch.zeros(())

    optimizer = create("agc", [weight], base="sam(base='sgd')", lr=0.1)
    optimizer.step(closure)  # two calls, and a step by the second one's
    assert len(grads) == 2 and weight.grad is grads[1] and grads[1].tolist() == [5.0, 5.0]
    there = 1 + 0.05 / sqrt(2)  # where the second call finds the weights, whose length counts
    assert weight.tolist() == pytest.approx([1 - 0.1 * 0.01 * there] * 2, rel=1e-6)
    with pytest.raises(KeyError):
        optimizer.step(closure)
    assert weight.grad.tolist() == [5.0, 5.0]


def test_it_calls_the_closure_as_often_as_its_base():
    weight = torch.nn.Parameter(torch.ones(2))
    assert not calls_often(create("agc", [weight]))
    assert calls_often(create("agc", [weight], base="sam"))


def test_wrong_options_are_refused():
    for options in ({"clipping": -0.1}, {"eps": -1.0}):
        with pytest.raises(UsageError, match=next(iter(options))):
            create("agc", [torch.nn.Parameter(torch.ones(1))], **options)
