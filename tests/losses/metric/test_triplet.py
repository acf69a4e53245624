from math import sqrt

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import ImprovedTriplet, TripletLoss, TripletMiner

KINDS = ("easy", "semi_hard", "hard")


def batch(rows=9, width=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=draw, dtype=torch.double), torch.arange(rows) * 7 % 3


def by_hand(points, labels, mining, margin=0.2, squared=True, unit=True):
    """The hinges of the mined triplets, by enumeration in plain Python."""
    if unit:
        points = [[x / sqrt(sum(y * y for y in row)) for x in row] for row in points]
    n, found = len(points), {}

    def far(i, j):
        d = sum((x - y) ** 2 for x, y in zip(points[i], points[j], strict=True))
        return d if squared else sqrt(d)

    for a in range(n):
        for p in range(n):
            for k in range(n):
                if a != p and labels[a] == labels[p] != labels[k]:
                    near, other = far(a, p), far(a, k)
                    kind = "hard" if other <= near else "semi_hard" if other < near + margin else "easy"
                    if mining in ("all", kind):
                        found[a, p, k] = max(0.0, near - other + margin)
    return found


@pytest.mark.parametrize("mining", [*KINDS, "all"])
@pytest.mark.parametrize("options", [{}, {"margin": 1.0}, {"squared": False}, {"unit": False, "margin": 2.0}])
def test_it_is_the_mean_over_mined_triplets(mining, options):
    x, y = batch()
    hinges = by_hand(x.tolist(), y.tolist(), mining, **options)
    assert hinges
    loss = TripletLoss(mining=mining, **options)(x, y).item()
    assert loss == pytest.approx(sum(hinges.values()) / len(hinges), abs=1e-12)
    total = TripletLoss(mining=mining, reduction="sum", **options)(x, y).item()
    assert total == pytest.approx(sum(hinges.values()), abs=1e-10)


def test_the_miner_parts_all_triplets():
    x, y = batch()
    distance = torch.cdist(x, x).square()
    masks = {kind: TripletMiner(kind, 0.5)(distance, y) for kind in (*KINDS, "all")}
    assert torch.equal(sum(masks[kind].long() for kind in KINDS), masks["all"].long())
    assert all(masks[kind].any() for kind in KINDS)
    for kind in KINDS:
        expected = by_hand(x.tolist(), y.tolist(), kind, margin=0.5, unit=False)
        assert {tuple(t) for t in masks[kind].nonzero().tolist()} == set(expected)


def test_on_given_triplets_it_is_pytorch_s():
    x, y = batch(3)
    y = torch.tensor([0, 0, 1])
    loss = TripletLoss(1.0, "all", squared=False, unit=False)(x, y)
    rows = ((x[0], x[1], x[2]), (x[1], x[0], x[2]))
    anchor, positive, negative = (torch.stack(each) for each in zip(*rows, strict=True))
    theirs = torch.nn.TripletMarginLoss(1.0, eps=0)(anchor, positive, negative)
    torch.testing.assert_close(loss, theirs)


def test_ties_are_hard_and_a_lead_of_the_margin_is_easy():
    distance = torch.tensor(
        [[0.0, 1.0, 1.0, 1.5], [1.0, 0.0, 9.0, 9.0], [1.0, 9.0, 0.0, 9.0], [1.5, 9.0, 9.0, 0.0]]
    )
    labels = torch.tensor([0, 0, 1, 2])
    kinds = {kind: TripletMiner(kind, 0.5)(distance, labels)[0, 1].tolist() for kind in KINDS}
    assert kinds["hard"] == [False, False, True, False]
    assert kinds["easy"] == [False, False, False, True]


def test_a_batch_with_nothing_to_learn_has_loss_zero_and_gradient_zero():
    x = torch.eye(3).repeat_interleave(2, 0).requires_grad_()
    loss = TripletLoss()(x, torch.tensor([0, 0, 1, 1, 2, 2]))
    loss.backward()
    assert loss.item() == 0 and not x.grad.any()


def test_unsquared_distances_of_equal_rows_have_a_finite_gradient():
    x = torch.ones(4, 2, dtype=torch.double, requires_grad=True)
    TripletLoss(mining="all", squared=False, unit=False)(x, torch.tensor([0, 0, 1, 1])).backward()
    assert torch.isfinite(x.grad).all()


def test_it_compiles():
    x, y = batch()
    loss = TripletLoss()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, y), loss(x, y))


def test_wrong_options_are_refused():
    for options in ({"margin": -0.1}, {"mining": "medium"}, {"reduction": "none"}):
        with pytest.raises(UsageError, match=str(next(iter(options.values())))):
            TripletLoss(**options)


@pytest.mark.parametrize("options", [{}, {"inner": 0.5, "weight": 0.3, "margin": 0.2}, {"squared": False}])
def test_improved_triplet_adds_a_cost_for_wide_pairs(options):
    x, y = batch()
    margin, inner = options.get("margin", 1.0), options.get("inner", 0.01)
    weight, squared = options.get("weight", 0.002), options.get("squared", True)
    hinges = by_hand(x.tolist(), y.tolist(), "all", margin, squared)
    rows = [[v / sqrt(sum(w * w for w in row)) for v in row] for row in x.tolist()]
    total = 0.0
    for (a, p, _), hinge in hinges.items():
        d = sum((v - w) ** 2 for v, w in zip(rows[a], rows[p], strict=True))
        total += hinge + weight * max(0.0, (d if squared else sqrt(d)) - inner)
    assert ImprovedTriplet(**options)(x, y).item() == pytest.approx(total / len(hinges), rel=1e-12)


def test_improved_triplet_with_a_wide_inner_margin_is_the_triplet_loss():
    x, y = batch()
    torch.testing.assert_close(ImprovedTriplet(0.7, inner=5.0)(x, y), TripletLoss(0.7, "all")(x, y))
    with pytest.raises(UsageError, match="-1"):
        ImprovedTriplet(inner=-1.0)
