import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

FIRST, SECOND = [0.0, 0, 2, 2], [1.0, 1, 4, 3]  # the catalogue's example: IoU 1/9
NAMES = ("iou_loss", "linear_iou_loss", "giou_loss", "diou_loss", "ciou_loss")
ALL = (*NAMES, "eiou_loss", "focal_eiou_loss", "siou_loss", "mpdiou_loss")
SIDE = 10.0


def plain(name: str, a: list[float], b: list[float], theta: float = 4.0, gamma: float = 0.5) -> float:
    """Each loss of one pair, in plain Python."""
    w, h, u, v = a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1]
    both = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = w * h + u * v - both
    iou = both / union
    cw, ch = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    dx, dy = (b[0] + b[2]) / 2 - (a[0] + a[2]) / 2, (b[1] + b[3]) / 2 - (a[1] + a[3]) / 2
    diou = 1 - iou + (dx**2 + dy**2) / (cw**2 + ch**2)
    if name == "iou_loss":
        return -math.log(iou) if iou > 1e-7 else -math.log(1e-7)
    if name == "linear_iou_loss":
        return 1 - iou
    if name == "giou_loss":
        return 1 - (iou - (cw * ch - union) / (cw * ch))
    if name == "diou_loss":
        return diou
    if name == "ciou_loss":
        shape = 4 / math.pi**2 * (math.atan(u / v) - math.atan(w / h)) ** 2
        return diou + (shape**2 / (1 - iou + shape) if shape else 0)
    if name in ("eiou_loss", "focal_eiou_loss"):
        loss = diou + (w - u) ** 2 / cw**2 + (h - v) ** 2 / ch**2
        return loss * iou**gamma if name.startswith("focal") else loss
    if name == "mpdiou_loss":
        corners = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
        return 1 - iou + corners / (2 * SIDE**2)
    sigma = math.hypot(dx, dy)
    angle = 1 - 2 * math.sin(math.asin(abs(dy) / sigma) - math.pi / 4) ** 2 if sigma else 0.0
    distance = sum(1 - math.exp((angle - 2) * (d / c) ** 2) for d, c in ((dx, cw), (dy, ch)))
    shape = sum((1 - math.exp(-abs(x - y) / max(x, y))) ** theta for x, y in ((w, u), (h, v)))
    return 1 - iou + (distance + shape) / 2


def loss_of(name: str, **words):
    return create(name, **({"image_size": SIDE} if name == "mpdiou_loss" else {}), **words)


def drawn(count: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(seed)
    corner = 4 * torch.rand(count, 2, generator=numbers, dtype=torch.double)
    size = 0.2 + 3 * torch.rand(count, 2, generator=numbers, dtype=torch.double)
    return scale * torch.cat([corner, corner + size], 1)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
@pytest.mark.parametrize("name", ALL)
def test_it_is_the_formula(name, scale):
    a, b = drawn(60, 1, scale), drawn(60, 2, scale)
    a[:3], b[3] = b[:3], b[3] + 100 * scale  # equal ones, and one far away
    a[4] = torch.cat([(b[4, :2] + b[4, 2:]) / 2 - scale, (b[4, :2] + b[4, 2:]) / 2 + scale])  # one centre
    expected = [plain(name, *pair) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    got = loss_of(name, reduction="none")(a, b)
    assert got.tolist() == pytest.approx(expected, abs=1e-9, rel=1e-9)
    assert loss_of(name)(a, b).item() == pytest.approx(sum(expected) / 60)
    assert loss_of(name, reduction="sum")(a, b).item() == pytest.approx(sum(expected))


@pytest.mark.parametrize(
    ("name", "words"), [("siou_loss", {"theta": 2.0}), ("focal_eiou_loss", {"gamma": 2.0})]
)
def test_it_is_the_formula_with_other_powers(name, words):
    a, b = drawn(60, 1), drawn(60, 2)
    expected = [plain(name, *pair, **words) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    got = loss_of(name, reduction="none", **words)(a, b)
    assert got.tolist() == pytest.approx(expected, abs=1e-9, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iou_loss", 2.197225),
        ("linear_iou_loss", 0.888889),
        ("giou_loss", 1.138889),
        ("diou_loss", 1.018889),
        ("ciou_loss", 1.019165),
        ("eiou_loss", 1.081389),
        ("siou_loss", 1.018772),
        ("mpdiou_loss", 0.923889),
    ],
)
def test_known_values(name, value):
    got = loss_of(name)(torch.tensor([FIRST]).double(), torch.tensor([SECOND]).double())
    assert got.item() == pytest.approx(value, abs=5e-7)


@pytest.mark.parametrize("name", ALL)
def test_either_box_may_be_the_prediction(name):
    a, b = drawn(20, 3), drawn(20, 4)
    loss = loss_of(name, reduction="none")
    torch.testing.assert_close(loss(a, b), loss(b, a))


@pytest.mark.parametrize("name", [name for name in ALL if name != "mpdiou_loss"])
def test_size_does_not_matter(name):
    a, b = drawn(20, 3), drawn(20, 4)
    loss = loss_of(name, reduction="none")
    torch.testing.assert_close(loss(7 * a, 7 * b), loss(a, b))


@pytest.mark.parametrize(
    "name", ["giou_loss", "diou_loss", "ciou_loss", "eiou_loss", "siou_loss", "mpdiou_loss"]
)
def test_boxes_that_do_not_touch_are_drawn_together(name):
    x = torch.tensor([[0.0, 0, 1, 1]], requires_grad=True)
    loss_of(name)(x, torch.tensor([[5.0, 4, 6, 6]])).backward()
    assert (x.grad[0, :2] + x.grad[0, 2:] < 0).all()  # the centre moves right and down


def test_ciou_loss_holds_its_weight_fast():
    a, b = drawn(1, 5)[0].tolist(), drawn(1, 6)[0].tolist()
    x = torch.tensor([a], dtype=torch.double, requires_grad=True)
    create("ciou_loss")(x, torch.tensor([b], dtype=torch.double)).backward()

    def shape(box):
        return (
            4
            / math.pi**2
            * (math.atan((b[2] - b[0]) / (b[3] - b[1])) - math.atan((box[2] - box[0]) / (box[3] - box[1])))
            ** 2
        )

    alpha = shape(a) / (plain("linear_iou_loss", a, b) + shape(a))
    for k in range(4):
        sides = [[v + (step if j == k else 0) for j, v in enumerate(a)] for step in (1e-6, -1e-6)]
        values = [plain("diou_loss", box, b) + alpha * shape(box) for box in sides]
        assert x.grad[0, k].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-7)


def test_focal_eiou_loss_holds_its_weight_fast():
    a, b = torch.tensor([FIRST], requires_grad=True), torch.tensor([SECOND])
    grads = [torch.autograd.grad(create(name)(a, b), a)[0] for name in ("focal_eiou_loss", "eiou_loss")]
    torch.testing.assert_close(grads[0], grads[1] / 3)  # the root of 1/9


@pytest.mark.parametrize("name", ALL)
def test_half_precision_is_worked_out_in_single(name):
    a, b = (10 * drawn(8, k).float().half() for k in (1, 2))  # squares would overflow
    loss = loss_of(name)
    got = loss(32 * a, 32 * b)
    assert got.dtype == torch.float32 and got.item() == pytest.approx(
        loss(32 * a.float(), 32 * b.float()).item()
    )
    with torch.autocast("cpu"):
        assert loss(a, b).isfinite()


@pytest.mark.parametrize("name", ALL)
def test_gradients_reach_any_odd_box(name):
    box = torch.tensor([[0.0, 0, 0, 0], [2, 2, 1, 1], [1, 1, 1, 1], [5, 0, 5, 9]], requires_grad=True)
    for target in (box.detach(), box.detach().flip(0), torch.tensor(FIRST).expand(4, 4)):
        (grad,) = torch.autograd.grad(loss_of(name)(box, target), box)
        assert grad.isfinite().all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("iou_loss", {"form": "square"}),
        ("giou_loss", {"reduction": "average"}),
        ("eiou_loss", {"gamma": -1.0}),
        ("siou_loss", {"theta": 0.5}),
        ("mpdiou_loss", {"image_size": 0}),
        ("mpdiou_loss", {"image_size": (3, -1)}),
    ],
)
def test_wrong_words_are_refused(name, words):
    with pytest.raises(UsageError):
        create(name, **words)


@pytest.mark.parametrize("shapes", [((3, 4), (2, 4)), ((3, 5), (3, 5))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(UsageError, match=r"shape \(n, 4\)"):
        create("iou_loss")(*(torch.zeros(shape) for shape in shapes))


def test_an_image_need_not_be_square():
    a, b = torch.tensor([FIRST]), torch.tensor([SECOND])
    expected = 8 / 9 + (2 + 5) / (6**2 + 8**2)
    for size in ((6, 8), (8, 6)):
        assert create("mpdiou_loss", image_size=size)(a, b).item() == pytest.approx(expected)
