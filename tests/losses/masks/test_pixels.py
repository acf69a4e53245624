import math

import pytest
import torch
import torch.nn.functional as F

from torchatlas import create
from torchatlas.engine.errors import UsageError

from .plain import IGNORED, case, mean, pixels

SHAPES = [(1, (4, 5)), (2, (3, 3)), (3, (4, 5)), (3, (2, 3, 4)), (3, (11,))]


def entropies(image) -> list[float]:
    return [-math.log(p[y]) for p, y in image]


@pytest.mark.parametrize(("classes", "sides"), SHAPES)
def test_weighted_ce_is_the_formula(classes, sides):
    weight = (0.5, 2.0, 3.0)[: max(2, classes)]
    scores, truth = case(classes, 0, sides)
    for by in ("pixels", "weights"):
        got = create("weighted_ce", weight=weight, by=by, reduction="none")(scores, truth)
        for value, image in zip(got.tolist(), pixels(scores, truth), strict=True):
            w = [weight[y] for _, y in image]
            total = sum(a * b for a, b in zip(w, entropies(image), strict=True))
            assert value == pytest.approx(total / (len(image) if by == "pixels" else sum(w)))


def test_weighted_ce_by_weights_is_pytorch_s_and_with_ones_the_cross_entropy():
    scores, truth = case(3, 1)
    weight = (0.2, 1.0, 5.0)
    for a, b in zip(scores.split(1), truth.split(1)):
        theirs = F.cross_entropy(a, b, torch.tensor(weight).double())
        torch.testing.assert_close(create("weighted_ce", weight=weight, by="weights")(a, b), theirs)
        torch.testing.assert_close(create("weighted_ce", weight=(1, 1, 1))(a, b), F.cross_entropy(a, b))


@pytest.mark.parametrize("k", [0.5, 10, 33.3, 50, 100])
@pytest.mark.parametrize(("classes", "sides"), SHAPES)
def test_topk_ce_is_the_mean_of_the_worst(k, classes, sides):
    scores, truth = case(classes, 2, sides)
    got = create("topk_ce", k=k, reduction="none")(scores, truth)
    for value, image in zip(got.tolist(), pixels(scores, truth), strict=True):
        worst = sorted(entropies(image), reverse=True)[: math.ceil(len(image) * k / 100)]
        assert value == pytest.approx(mean(worst))


def test_topk_ce_of_all_is_the_cross_entropy_and_of_some_at_least_it():
    scores, truth = case(3, 3, (20, 20), ignored=False)
    all_of_it = create("topk_ce", k=100)(scores, truth)
    torch.testing.assert_close(all_of_it, F.cross_entropy(scores, truth))
    assert create("topk_ce")(scores, truth) > create("topk_ce", k=50)(scores, truth) > all_of_it
    x = scores.clone().requires_grad_()
    (grad,) = torch.autograd.grad(create("topk_ce")(x, truth), x)
    assert int(grad.any(1).sum()) == 2 * 40  # a tenth of the pixels is taught


def penalties(truth: list[list[int]]) -> dict[tuple[int, int], float]:
    """One and what is near to another class, by comparing every two pixels."""
    grid = {(i, j): y for i, row in enumerate(truth) for j, y in enumerate(row) if y != IGNORED}
    away = {
        a: min((math.dist(a, b) for b, other in grid.items() if other != y), default=0.0)
        for a, y in grid.items()
    }
    far = {y: max(away[a] for a in grid if grid[a] == y) for y in set(grid.values())}
    return {a: 1 - away[a] / far[y] if far[y] else 0.0 for a, y in grid.items()}


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_dpce_loss_is_the_formula(classes):
    for seed in range(3):
        scores, truth = case(classes, seed, (6, 9))
        truth[0, :4, :5], truth[1, 2:, 4:] = 0, 1  # regions with an inside
        got = create("dpce_loss", reduction="none")(scores, truth)
        for k, image in enumerate(pixels(scores, truth)):
            weights = penalties(truth[k].tolist())  # in the order of the pixels that count
            total = sum((1 + w) * ce for w, ce in zip(weights.values(), entropies(image), strict=True))
            assert got[k].item() == pytest.approx(total / len(image), rel=1e-6)


def test_dpce_loss_of_one_class_is_the_cross_entropy_and_edges_weigh_most():
    scores, truth = case(3, 4, (9, 9), ignored=False)
    torch.testing.assert_close(create("dpce_loss")(scores, 0 * truth), F.cross_entropy(scores, 0 * truth))
    block = torch.zeros(1, 9, 9, dtype=torch.long)
    block[:, 2:7, 2:7] = 1
    weight = create("dpce_loss").penalty(block, block >= 0, 2)[0]
    assert weight[2, 2] == weight[2:7, 2:7].max() and weight[4, 4] == 0 and weight[4, 2] > weight[4, 3]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("weighted_ce", {"weight": ()}),
        ("weighted_ce", {"weight": (1.0, -1.0)}),
        ("weighted_ce", {"weight": (1.0, 1.0), "by": "all"}),
        ("topk_ce", {"k": 0}),
        ("topk_ce", {"k": 101}),
    ],
)
def test_wrong_words_are_refused(name, words):
    with pytest.raises(UsageError):
        create(name, **words)


def test_weights_of_another_number_of_classes_are_refused():
    with pytest.raises(UsageError, match="2 numbers for 3 classes"):
        create("weighted_ce", weight=(1.0, 2.0))(*case(3, 0))
