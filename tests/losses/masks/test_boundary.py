import itertools
import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

from .plain import IGNORED, case, mean, softmax


def away(mask: dict[tuple[int, int], bool]) -> dict[tuple[int, int], float]:
    """How far each pixel is from the other side, by comparing every two; 0 where there is none."""
    return {
        a: min((math.dist(a, b) for b, other in mask.items() if other is not side), default=0.0)
        for a, side in mask.items()
    }


def plain(name: str, scores: torch.Tensor, truth: torch.Tensor, alpha: float = 2.0) -> float:
    """Of one image; ignored pixels are background, and not counted."""
    places = list(itertools.product(*(range(n) for n in truth.shape)))
    p = {a: softmax(scores[:, *a].tolist()) for a in places}
    y = {a: int(truth[a]) for a in places}
    total = []
    for c in range(1, max(2, scores.shape[0])):
        mask = {a: y[a] == c for a in places}
        true, found = away(mask), away({a: p[a][c] > 0.5 for a in places})
        for a in places:
            if y[a] == IGNORED:
                continue
            if name == "boundary_loss":
                total.append((-true[a] if mask[a] else true[a]) * p[a][c])
            else:
                total.append((p[a][c] - mask[a]) ** 2 * (true[a] ** alpha + found[a] ** alpha))
    return mean(total)


@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize("name", ["boundary_loss", "hausdorff_dt_loss"])
def test_it_is_the_formula(name, classes):
    for seed in range(3):
        scores, truth = case(classes, seed, (5, 6))
        truth[0, :3, :3] = 1
        got = create(name, reduction="none")(scores, truth)
        expected = [plain(name, a, b) for a, b in zip(scores, truth)]
        assert got.tolist() == pytest.approx(expected, rel=1e-6)


def test_hausdorff_dt_loss_with_another_power():
    scores, truth = case(2, 7, (4, 4))
    got = create("hausdorff_dt_loss", alpha=1.0, reduction="none")(scores, truth)
    assert got.tolist() == pytest.approx(
        [plain("hausdorff_dt_loss", a, b, 1.0) for a, b in zip(scores, truth)]
    )


def test_the_true_mask_is_the_best_of_all_sharp_ones():
    truth = torch.zeros(1, 3, 3, dtype=torch.long)
    truth[0, 0, :2] = truth[0, 1, 0] = 1
    for name in ("boundary_loss", "hausdorff_dt_loss"):
        loss, values = create(name, reduction="none"), {}
        every = torch.tensor(list(itertools.product((0, 1), repeat=9))).view(512, 3, 3)
        losses = loss((2000.0 * every - 1000)[:, None], truth.expand(512, 3, 3))
        values = losses.tolist()
        best = min(values)
        assert [k for k in range(512) if values[k] < best + 1e-6] == [int("110100000", 2)]


def test_farther_errors_cost_more():
    truth = torch.zeros(1, 1, 20, dtype=torch.long)
    truth[..., :5] = 1
    for name in ("boundary_loss", "hausdorff_dt_loss"):
        costs = []
        for place in (6, 10, 18):
            scores = 40.0 * truth.double()[:, None] - 20
            scores[..., place] = 20
            costs.append(create(name)(scores, truth).item())
        assert costs[0] < costs[1] < costs[2]


def test_no_gradient_flows_through_the_distances():
    scores, truth = case(1, 1, (4, 4), ignored=False)
    x = scores.clone().requires_grad_()
    (grad,) = torch.autograd.grad(create("hausdorff_dt_loss")(x, truth), x)
    p = scores.sigmoid()
    for k in range(2):
        places = list(itertools.product(range(4), range(4)))
        true, found = (away({a: bool(m[k][a]) for a in places}) for m in (truth == 1, p[:, 0] > 0.5))
        for a in places:
            q = p[k, 0][a].item()
            weight = (true[a] ** 2 + found[a] ** 2) / 16 / 2
            expected = 2 * (q - float(truth[k][a])) * q * (1 - q) * weight
            assert grad[k, 0][a].item() == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_wrong_words_are_refused():
    with pytest.raises(UsageError, match="alpha"):
        create("hausdorff_dt_loss", alpha=0.0)
