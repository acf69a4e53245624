from math import ceil

import pytest
import torch

from embedded import batch, far, mean, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import HierarchicalTriplet


def heights(between, floor, levels):
    """For each two classes the first height at which a growing tree has them in one node."""
    found = {}
    for level in range(levels + 1):
        height = floor + level * (4 - floor) / levels
        groups = [{k} for k in between]
        while True:  # merge nodes of which any two classes are near enough
            near = [
                (a, b)
                for a in groups
                for b in groups
                if a is not b and any(between[p][q] <= height for p in a for q in b)
            ]
            if not near:
                break
            a, b = near[0]
            groups = [g for g in groups if g is not a and g is not b] + [a | b]
        for group in groups:
            for pair in ((p, q) for p in group for q in group if p != q):
                found.setdefault(pair, height)
    return found


@pytest.mark.parametrize(("levels", "beta"), [(16, 0.1), (3, 0.1), (16, 0.4)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_margins_follow_the_tree_of_classes(seed, levels, beta):
    x, y = batch(rows=12, classes=5, width=2, seed=seed)
    rows, y = [unit(row) for row in x.tolist()], y.tolist()
    members = {k: [r for r, label in zip(rows, y, strict=True) if label == k] for k in range(5)}
    between = {
        p: {q: mean([far(a, b) ** 2 for a in members[p] for b in members[q]]) for q in members}
        for p in members
    }
    within = {k: between[k][k] * len(m) / (len(m) - 1) for k, m in members.items()}
    floor = mean(list(within.values()))
    height, losses, n = heights(between, floor, levels), [], range(12)
    for a in n:
        for p in n:
            for k in n:
                if a != p and y[a] == y[p] != y[k]:
                    margin = beta + height[y[a], y[k]] - within[y[a]]
                    losses.append(max(0.0, far(rows[a], rows[p]) ** 2 - far(rows[a], rows[k]) ** 2 + margin))
    loss = HierarchicalTriplet(beta, levels)(x, torch.tensor(y))
    assert loss.item() == pytest.approx(mean(losses), rel=1e-10)
    assert len(set(height.values())) > 1


def test_equally_far_classes_have_one_margin():
    x, y = torch.eye(4, dtype=torch.double).repeat_interleave(2, 0), torch.arange(4).repeat_interleave(2)
    loss = HierarchicalTriplet()(x, y).item()
    assert loss == pytest.approx(0.1 + ceil(2 * 16 / 4) / 16 * 4 - 2, abs=1e-12)  # height 2, distance 2


def test_margins_are_not_differentiated():
    x, y = batch(rows=12, classes=4)
    leaf = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(HierarchicalTriplet()(leaf, y), leaf)
    step = torch.zeros_like(x)
    step[2, 1] = 1e-6
    moved, back = (HierarchicalTriplet()(x + s * step, y, held=x) for s in (1, -1))
    assert grad[2, 1].item() == pytest.approx((moved - back).item() / 2e-6, rel=1e-4)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="0"):
        HierarchicalTriplet(levels=0)
