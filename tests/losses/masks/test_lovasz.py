import itertools

import pytest
import torch

from torchatlas import create

from .plain import IGNORED, case, compared, mean, pixels


def jaccard(wrong: set[int], mask: set[int]) -> float:
    """The IoU loss of a mask when these pixels are wrong."""
    return len(wrong) / len(mask | wrong) if mask | wrong else 0.0


def extension(errors: list[float], mask: set[int]) -> float:
    """Sorted errors, each times what its pixel adds to the IoU loss."""
    total, wrong = 0.0, set()
    for k in sorted(range(len(errors)), key=lambda k: -errors[k]):
        before = jaccard(wrong, mask)
        wrong = wrong | {k}
        total += max(0.0, errors[k]) * (jaccard(wrong, mask) - before)
    return total


@pytest.mark.parametrize(("classes", "sides"), [(1, (4, 5)), (2, (3, 3)), (4, (4, 5)), (3, (2, 3, 4))])
def test_lovasz_softmax_is_the_extension(classes, sides):
    for seed in range(3):
        scores, truth = case(classes, seed, sides)
        truth[1] = truth[1].where(truth[1] != 0, 1)  # class 0 is not there
        got = create("lovasz_softmax", reduction="none")(scores, truth)
        for value, image in zip(got.tolist(), pixels(scores, truth), strict=True):
            each = []
            for c in compared(scores):
                mask = {k for k, (_, y) in enumerate(image) if y == c}
                if mask or classes == 1:
                    each.append(extension([abs((y == c) - p[c]) for p, y in image], mask))
            assert value == pytest.approx(mean(each), abs=1e-12)


@pytest.mark.parametrize("classes", [1, 3])
def test_lovasz_hinge_is_the_extension(classes):
    for seed in range(3):
        scores, truth = case(classes, seed)
        got = create("lovasz_hinge", reduction="none")(scores, truth)
        for k, value in enumerate(got.tolist()):
            counted = [i for i, y in enumerate(truth[k].flatten().tolist()) if y != IGNORED]
            labels = truth[k].flatten().tolist()
            each = []
            for c in compared(scores):
                z = scores[k, c if classes > 1 else 0].flatten().tolist()
                errors = [1 - (z[i] if labels[i] == c else -z[i]) for i in counted]
                each.append(extension(errors, {n for n, i in enumerate(counted) if labels[i] == c}))
            assert value == pytest.approx(mean(each), abs=1e-12)


def test_of_sharp_masks_lovasz_softmax_is_the_iou_loss():
    for seed in range(5):
        _, truth = case(2, seed, ignored=False)
        _, found = case(2, seed + 20, ignored=False)
        got = create("lovasz_softmax", reduction="none")((2000.0 * found - 1000)[:, None].double(), truth)
        for k in range(2):
            both, either = (found[k] & truth[k]).sum().item(), (found[k] | truth[k]).sum().item()
            assert got[k].item() == pytest.approx(1 - both / either)


def test_lovasz_extension_is_convex_and_lies_between_the_corners():
    # The value at a point is that of the best mean of corners whose errors are nested: here by trying orders.
    truth = torch.tensor([[1, 0, 1, 0]])
    errors = torch.tensor([[0.1, 0.7, 0.4, 0.3], [0.9, 0.2, 0.5, 0.6]], dtype=torch.double)
    p = (truth - errors).abs()
    scores = (p / (1 - p)).log()[:, None]
    values = create("lovasz_softmax", reduction="none")(scores, truth.expand(2, 4))
    for value, row in zip(values.tolist(), errors.tolist(), strict=True):
        orders = []
        for order in itertools.permutations(range(4)):
            wrong, total = set(), 0.0
            for k in order:
                before = jaccard(wrong, {0, 2})
                wrong = wrong | {k}
                total += row[k] * (jaccard(wrong, {0, 2}) - before)
            orders.append(total)
        assert value == pytest.approx(
            max(orders)
        )  # the largest over all orders: a maximum of linear functions


def test_ties_and_ignored_pixels():
    truth = torch.tensor([[1, 0, 1, IGNORED, 0]])
    scores = torch.zeros(1, 1, 5, requires_grad=True)
    value = create("lovasz_softmax")(scores, truth)
    assert value.item() == pytest.approx(0.5)  # every error is a half
    value.backward()
    assert scores.grad[0, 0, 3] == 0
