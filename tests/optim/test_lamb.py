from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

CURVATURE = (1.0, 2.0, 4.0)


def length(values):
    return sqrt(sum(x * x for x in values))


def by_hand(w, steps, lr, betas=(0.9, 0.999), eps=1e-6, decay=0.01, bound=None, trust=True):
    """Algorithm 2 on the parabola Σ λ w² / 2, in plain Python."""
    m, v = [0.0] * len(w), [0.0] * len(w)
    for t in range(1, steps + 1):
        g = [c * x for c, x in zip(CURVATURE, w, strict=True)]
        m = [betas[0] * a + (1 - betas[0]) * b for a, b in zip(m, g, strict=True)]
        v = [betas[1] * a + (1 - betas[1]) * b * b for a, b in zip(v, g, strict=True)]
        r = [
            a / (1 - betas[0] ** t) / (sqrt(b / (1 - betas[1] ** t)) + eps) for a, b in zip(m, v, strict=True)
        ]
        u = [a + decay * x for a, x in zip(r, w, strict=True)]
        phi = length(w) if bound is None else min(length(w), bound)
        ratio = phi / length(u) if trust and length(w) and length(u) else 1.0
        w = [x - lr * ratio * a for x, a in zip(w, u, strict=True)]
    return w


def walk(name, start, steps, **options):
    weight = torch.nn.Parameter(torch.tensor(start, dtype=torch.double))
    optimizer = create(name, [weight], **options)
    for _ in range(steps):
        optimizer.zero_grad()
        (torch.tensor(CURVATURE, dtype=torch.double) * weight**2 / 2).sum().backward()
        optimizer.step()
    return weight.tolist()


@pytest.mark.parametrize(
    "options",
    [{}, {"weight_decay": 0.0}, {"weight_decay": 0.5}, {"bound": 1.5}, {"betas": (0.5, 0.8), "eps": 0.1}],
)
def test_thirty_steps_are_the_papers(options):
    said = {"decay": options.get("weight_decay", 0.01)} | {
        k: v for k, v in options.items() if k != "weight_decay"
    }
    expected = by_hand([1.0, 2.0, 3.0], 30, 0.02, **said)
    assert walk("lamb", [1.0, 2.0, 3.0], 30, lr=0.02, **options) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_each_tensor_moves_by_the_share_lr_of_its_length(decay):
    weights = [torch.nn.Parameter(torch.randn(3, 4, dtype=torch.double) * 10**k) for k in (-3, 0, 3)]
    before = [weight.detach().clone() for weight in weights]
    optimizer = create("lamb", weights, lr=0.02, weight_decay=decay)
    for k, weight in enumerate(weights):
        weight.grad = torch.randn(3, 4, dtype=torch.double) * 100**k
    optimizer.step()
    for old, new in zip(before, weights, strict=True):
        assert (new.detach() - old).norm() == pytest.approx(0.02 * old.norm().item(), rel=1e-12)


def test_a_ratio_of_one_leaves_adamw_s_step():
    """Where the weights' norm is that of the update the ratio is one; at the first step u is known."""
    decay, lr, sign = 0.5, 0.01, torch.tensor([1.0, -1.0, 1.0], dtype=torch.double)
    start = (sign / (1 - decay)).tolist()  # w = sign + decay w = u
    ends = []
    for name in ("lamb", "adamw"):
        weight = torch.nn.Parameter(torch.tensor(start, dtype=torch.double))
        weight.grad = 7 * sign
        create(name, [weight], lr=lr, weight_decay=decay, eps=1e-15).step()
        ends.append(weight.tolist())
    assert ends[0] == pytest.approx(ends[1], abs=1e-12)


def test_weights_of_zero_take_adam_s_step():
    weight = torch.nn.Parameter(torch.zeros(3))
    weight.grad = torch.tensor([3.0, -2.0, 0.5])
    create("lamb", [weight], lr=0.01).step()
    assert weight.tolist() == pytest.approx([-0.01, 0.01, -0.01], rel=1e-4)


def test_parameters_keep_their_own_count():
    """A weight whose first gradient comes late is corrected as at its first step."""
    late, early = (torch.nn.Parameter(torch.tensor([2.0])) for _ in range(2))
    optimizer = create("lamb", [late, early], lr=0.1, weight_decay=0.0)
    for k in range(3):
        early.grad, late.grad = torch.ones(1), torch.full((1,), 5.0) if k == 2 else None
        optimizer.step()
    assert late.item() == pytest.approx(2 - 0.1 * 2)


def test_wrong_options_are_refused():
    for options, word in (
        ({"betas": (1.0, 0.9)}, "beta1"),
        ({"eps": -1.0}, "eps"),
        ({"bound": -1.0}, "bound"),
    ):
        with pytest.raises(UsageError, match=word):
            create("lamb", [torch.nn.Parameter(torch.ones(1))], **options)
