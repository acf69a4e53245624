import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def by_hand(problem, lr, momentum, k, alpha):
    """Momentum's steps, and the slow weights after every k-th."""
    ends = []
    for number, w in enumerate(problem.starts):
        slow, m = list(w), [0.0] * len(w)
        for t, gradients in enumerate(problem.gradients, 1):
            m = [momentum * a + b for a, b in zip(m, gradients[number], strict=True)]
            w = [x - lr * a for x, a in zip(w, m, strict=True)]
            if t % k == 0:
                slow = [s + alpha * (x - s) for s, x in zip(slow, w, strict=True)]
                w = list(slow)
        ends.append(w)
    return ends


@pytest.mark.parametrize(("k", "alpha"), [(5, 0.5), (3, 0.8), (1, 0.25), (7, 1.0)])
def test_thirty_steps_are_the_papers(problem, walk, k, alpha):
    got = walk("lookahead", base="sgd(momentum=0.8)", lr=0.01, k=k, alpha=alpha)
    for mine, expected in zip(got, by_hand(problem, 0.01, 0.8, k, alpha), strict=True):
        assert mine == pytest.approx(expected, rel=1e-9)


def test_going_all_the_way_is_the_base(walk):
    assert walk("lookahead", base="adam", lr=0.1, alpha=1.0) == walk("adam", lr=0.1)


def test_weights_count_their_own_steps():
    """A weight that rests is not called back by the steps of others."""
    late, early = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = create("lookahead", [late, early], base="sgd", lr=1.0, k=2, alpha=0.5)
    for step in range(3):
        early.grad, late.grad = torch.ones(1), torch.ones(1) if step else None
        optimizer.step()
    assert early.item() == -2.0 and late.item() == -1.0  # -1, -2 -> -1, -2; -1, -2 -> -1


def test_wrong_options_are_refused():
    for options in ({"k": 0}, {"alpha": 0.0}, {"alpha": 1.5}):
        with pytest.raises(UsageError, match=next(iter(options))):
            create("lookahead", [torch.nn.Parameter(torch.ones(1))], **options)
