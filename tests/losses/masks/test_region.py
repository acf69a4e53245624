import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

from .plain import case, compared, mean, pixels

NAMES = (
    "dice_loss",
    "soft_iou_loss",
    "tversky_loss",
    "focal_tversky_loss",
    "asymmetric_similarity",
    "generalized_dice",
    "penalty_gd_loss",
    "sensitivity_specificity",
)
EPS = 1e-5
SHAPES = [(1, (4, 5)), (2, (3, 3)), (4, (4, 5)), (3, (2, 3, 4)), (3, (7,))]


def sums(image, c: int) -> tuple[float, float, float]:
    """What is found, made up and missed of a class, in probabilities."""
    tp = sum(p[c] for p, y in image if y == c)
    fp = sum(p[c] for p, y in image if y != c)
    return tp, fp, sum(1 - p[c] for p, y in image if y == c)


def generalized(image, classes) -> float:
    sizes = {c: sum(y == c for _, y in image) for c in classes}
    smallest = min((n for n in sizes.values() if n), default=1)
    weights = {c: 1 / (n or smallest) ** 2 for c, n in sizes.items()}
    above = sum(weights[c] * 2 * sums(image, c)[0] for c in classes)
    below = sum(
        w * (2 * sums(image, c)[0] + sums(image, c)[1] + sums(image, c)[2]) for c, w in weights.items()
    )
    return above / below


def of_class(name: str, image, c: int) -> float:
    tp, fp, fn = sums(image, c)
    if name == "dice_loss":
        return 1 - (2 * tp + EPS) / (2 * tp + fp + fn + EPS)
    if name == "soft_iou_loss":
        return 1 - (tp + EPS) / (tp + fp + fn + EPS)
    if name == "tversky_loss":
        return 1 - (tp + EPS) / (tp + 0.3 * fp + 0.7 * fn + EPS)
    if name == "focal_tversky_loss":
        return (1 - (tp + EPS) / (tp + 0.3 * fp + 0.7 * fn + EPS)) ** 0.75
    if name == "asymmetric_similarity":
        b, eps = 1.5**2, EPS * (1 + 1.5**2)
        return 1 - ((1 + b) * tp + eps) / ((1 + b) * tp + b * fn + fp + eps)
    inside, outside = (
        [((y == c) - p[c]) ** 2 for p, y in image if (y == c) is side] for side in (True, False)
    )
    return 0.05 * (mean(inside) if inside else 0) + 0.95 * (mean(outside) if outside else 0)


def plain(name: str, image, classes) -> float:
    if name == "generalized_dice":
        return 1 - generalized(image, classes)
    if name == "penalty_gd_loss":
        gd = generalized(image, classes)
        return 1 - gd / (1 + 2.5 * (1 - gd))
    return mean(of_class(name, image, c) for c in classes)


@pytest.mark.parametrize(("classes", "sides"), SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_formula(name, classes, sides):
    for seed in range(3):
        scores, truth = case(classes, seed, sides)
        expected = [plain(name, image, compared(scores)) for image in pixels(scores, truth)]
        assert create(name, reduction="none")(scores, truth).tolist() == pytest.approx(expected, abs=1e-10)
        assert create(name)(scores, truth).item() == pytest.approx(mean(expected))


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_an_image_lacks(name):
    scores, truth = case(4, 5, ignored=False)
    truth = truth.clamp(max=1)
    expected = [plain(name, image, range(4)) for image in pixels(scores, truth)]
    assert create(name, reduction="none")(scores, truth).tolist() == pytest.approx(expected, abs=1e-10)


def sharp(seed: int):
    """A mask, and scores that are sure of another one."""
    _, truth = case(2, seed, (6, 7), ignored=False)
    _, found = case(2, seed + 10, (6, 7), ignored=False)
    tp, fp, fn = (int(x.sum()) for x in (found * truth, found * (1 - truth), (1 - found) * truth))
    return (2000.0 * found - 1000)[:, None].double().flatten(2).view(1, 1, -1), truth.view(1, -1), tp, fp, fn


def test_of_sharp_masks_they_are_the_scores_of_counts():
    for seed in range(4):
        scores, truth, tp, fp, fn = sharp(seed)
        expected = {
            "dice_loss": 1 - 2 * tp / (2 * tp + fp + fn),
            "soft_iou_loss": 1 - tp / (tp + fp + fn),
            "tversky_loss": 1 - tp / (tp + 0.3 * fp + 0.7 * fn),
            "asymmetric_similarity": 1 - 3.25 * tp / (3.25 * tp + 2.25 * fn + fp),
            "generalized_dice": 1 - 2 * tp / (2 * tp + fp + fn),
        }
        for name, value in expected.items():
            assert create(name)(scores, truth).item() == pytest.approx(value, abs=1e-6), name


def test_what_each_becomes_in_a_corner():
    scores, truth = case(3, 1)
    same = [
        (create("tversky_loss", alpha=0.5, beta=0.5, smooth=0.0), create("dice_loss", smooth=0.0)),
        (create("tversky_loss", alpha=1.0, beta=1.0), create("soft_iou_loss")),
        (create("focal_tversky_loss", gamma=1.0), create("tversky_loss")),
        (create("asymmetric_similarity", beta=1.0, smooth=0.0), create("dice_loss", smooth=0.0)),
        (create("asymmetric_similarity", beta=2.0), create("tversky_loss", alpha=0.2, beta=0.8)),
        (create("penalty_gd_loss", k=0.0), create("generalized_dice")),
    ]
    for one, other in same:
        torch.testing.assert_close(one(scores, truth), other(scores, truth))


@pytest.mark.parametrize("smooth", [0.3, 2.0])
def test_what_is_added_above_and_below(smooth):
    scores, truth = case(3, 7)
    weights = {"soft_iou_loss": (1.0, 1.0), "tversky_loss": (0.3, 0.7), "dice_loss": (0.5, 0.5)}
    for name, (made_up, missed) in weights.items():
        expected, half = [], smooth / 2 if name == "dice_loss" else smooth  # Dice counts what is found twice
        for image in pixels(scores, truth):
            each = (sums(image, c) for c in range(3))
            expected.append(
                mean(1 - (tp + half) / (tp + made_up * fp + missed * fn + half) for tp, fp, fn in each)
            )
        got = create(name, smooth=smooth, reduction="none")(scores, truth)
        assert got.tolist() == pytest.approx(expected), name


def test_focal_tversky_loss_with_other_weights_and_another_root():
    scores, truth = case(3, 8)
    expected = []
    for image in pixels(scores, truth):
        each = (sums(image, c) for c in range(3))
        expected.append(mean((1 - tp / (tp + 0.6 * fp + 0.2 * fn)) ** 0.5 for tp, fp, fn in each))
    loss = create("focal_tversky_loss", alpha=0.6, beta=0.2, gamma=2.0, smooth=0.0, reduction="none")
    assert loss(scores, truth).tolist() == pytest.approx(expected)


def test_generalised_dice_of_classes_of_one_size_is_the_dice_of_all():
    scores, _ = case(3, 2, (3, 4))
    truth = torch.arange(24).view(2, 3, 4) % 3
    p = scores.softmax(1)
    found = torch.stack([p[:, c][truth == c].view(2, -1).sum(1) for c in range(3)]).sum(0)
    expected = 1 - 2 * found / (12 + 12)  # all probabilities add up to the number of pixels
    torch.testing.assert_close(create("generalized_dice", reduction="none")(scores, truth), expected)


def test_penalty_gd_loss_weighs_what_is_made_up_and_missed():
    scores, truth = case(1, 3)
    for k in (1.0, 2.5):
        expected = []
        for image in pixels(scores, truth):
            tp, fp, fn = sums(image, 1)
            expected.append(1 - 2 * tp / (2 * tp + (1 + k) * (fp + fn)))
        got = create("penalty_gd_loss", k=k, reduction="none")(scores, truth)
        assert got.tolist() == pytest.approx(expected)


def test_dice_loss_with_squares():
    scores, truth = case(3, 4)
    expected = []
    for image in pixels(scores, truth):
        each = []
        for c in range(3):
            found = sum(p[c] for p, y in image if y == c)
            below = sum(p[c] ** 2 for p, _ in image) + sum(y == c for _, y in image)
            each.append(1 - (2 * found + EPS) / (below + EPS))
        expected.append(mean(each))
    got = create("dice_loss", squared=True, reduction="none")(scores, truth)
    assert got.tolist() == pytest.approx(expected)


def test_sensitivity_specificity_of_one_weight_sees_one_side():
    scores, truth = case(1, 6)
    for weight, label in ((1.0, 1), (0.0, 0)):
        got = create("sensitivity_specificity", weight=weight, reduction="none")(scores, truth)
        for value, image in zip(got.tolist(), pixels(scores, truth), strict=True):
            errors = [(label - p[1]) ** 2 for p, y in image if y == label]
            assert value == pytest.approx(mean(errors))


def test_focal_tversky_loss_has_a_finite_gradient_at_the_end():
    truth = torch.zeros(1, 3, 3, dtype=torch.long)
    x = torch.tensor([60.0, -60.0]).view(1, 2, 1, 1).repeat(1, 1, 3, 3).requires_grad_()
    value = create("focal_tversky_loss", smooth=0.0)(x, truth)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-5) and x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dice_loss", {"smooth": -1.0}),
        ("tversky_loss", {"alpha": -0.1}),
        ("tversky_loss", {"alpha": 0.0, "beta": 0.0}),
        ("focal_tversky_loss", {"gamma": 0.0}),
        ("asymmetric_similarity", {"beta": 0.0}),
        ("penalty_gd_loss", {"k": -1.0}),
        ("sensitivity_specificity", {"weight": 1.5}),
        ("soft_iou_loss", {"reduction": "average"}),
    ],
)
def test_wrong_words_are_refused(name, words):
    with pytest.raises(UsageError):
        create(name, **words)
