import math
from statistics import median

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

ERRORS = [0.0, 1e-6, 0.25, -0.5, 0.999, 1.0, -1.001, 3.0, -40.0, 1e4]


def balanced(x: float, alpha: float = 0.5, gamma: float = 1.5) -> float:
    b, x = math.exp(gamma / alpha) - 1, abs(x)
    if x < 1:
        return alpha / b * (b * x + 1) * math.log(b * x + 1) - alpha * x
    return gamma * x + gamma / b - alpha


def smooth(x: float, beta: float) -> float:
    x = abs(x)
    return x * x / (2 * beta) if x < beta else x - beta / 2


@pytest.mark.parametrize("words", [{}, {"alpha": 0.3, "gamma": 2.0}])
def test_balanced_l1_is_the_formula(words):
    x = torch.tensor(ERRORS, dtype=torch.double)
    got = create("balanced_l1", reduction="none", **words)(x + 2, torch.full_like(x, 2))
    assert got.tolist() == pytest.approx([balanced(e, **words) for e in ERRORS], rel=1e-9, abs=1e-11)


def test_known_values_of_balanced_l1():
    loss = create("balanced_l1", reduction="none")
    assert loss.b == pytest.approx(19.085537, abs=5e-7)
    x = torch.tensor([0.5, 1.0, 1.0 + 1e-9, 2.0], dtype=torch.double, requires_grad=True)
    value = loss(x, torch.zeros(4, dtype=torch.double))
    assert value[:2].tolist() == pytest.approx([0.400568, 1.078594], abs=5e-7)
    slopes = torch.autograd.grad(value.sum(), x)[0].tolist()
    assert slopes[1:] == pytest.approx([1.5, 1.5, 1.5]) and slopes[0] == pytest.approx(
        0.5 * math.log(19.085537 / 2 + 1), abs=1e-6
    )


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_dynamic_smooth_l1_is_smooth_l1_until_it_moves(beta):
    x = torch.tensor(ERRORS, dtype=torch.double)
    loss = create("dynamic_smooth_l1", beta=beta, reduction="none").eval()
    assert loss(x, torch.zeros_like(x)).tolist() == pytest.approx(
        [smooth(e, beta) for e in ERRORS], rel=1e-7, abs=1e-9
    )
    assert loss.noted == 0 and loss.now.item() == pytest.approx(beta)


def test_dynamic_smooth_l1_takes_the_median_of_the_smallest_errors():
    loss, notes, beta = create("dynamic_smooth_l1", every=4, smallest=3), [], 1.0
    numbers = torch.Generator().manual_seed(0)
    sizes = [0.1] * 4 + [1e-9] * 4 + [30.0] * 4 + [0.4] * 4  # smaller, next to nothing, beyond, rising again
    seen = []
    for k, size in enumerate(sizes):
        target = size * torch.randn(2 if k == 1 else 12, 4, generator=numbers)
        prediction = target + torch.randn(target.shape, generator=numbers)
        got = loss(prediction, target).item()
        errors = sorted((abs(row[0]) + abs(row[1])) / 2 for row in target.tolist())
        notes.append(errors[min(3, len(errors)) - 1])
        if len(notes) == 4:
            found, notes = median(notes), []
            beta = min(1.0, found) if found > 1.2e-7 else beta
        each = [smooth(p - t, beta) for p, t in zip(prediction.flatten().tolist(), target.flatten().tolist())]
        assert loss.now.item() == pytest.approx(beta, rel=1e-6)
        assert got == pytest.approx(sum(each) / len(each), rel=1e-5)
        seen.append(beta)
    assert seen[3] < 0.2 and seen[7] == seen[3] and seen[11] == 1 and 0 < seen[15] < 1


def test_dynamic_smooth_l1_of_no_boxes_notes_nothing():
    loss = create("dynamic_smooth_l1", every=1)
    assert loss(torch.zeros(0, 4), torch.zeros(0, 4)) == 0 and loss.now == 1 and loss.noted == 0


def test_dynamic_smooth_l1_notes_only_where_a_step_is_taken():
    loss, y = create("dynamic_smooth_l1", every=1, smallest=1), torch.full((3, 4), 0.25)
    assert loss.batch_statistics
    with torch.no_grad():  # a copy that was left in training mode
        loss(y, y)
    loss.eval()(y, y)
    assert loss.now == 1
    loss.train()(y, y)
    assert loss.now == 0.25


def test_dynamic_smooth_l1_compiles_while_it_trains():
    torch.compiler.reset()
    plain, whole = (create("dynamic_smooth_l1", every=2, smallest=2) for _ in range(2))
    compiled = torch.compile(whole, fullgraph=True, backend="aot_eager")
    for seed in range(4):
        x, y = (0.1 * torch.randn(5, 4, generator=torch.Generator().manual_seed(seed + k)) for k in (0, 10))
        torch.testing.assert_close(compiled(x, y), plain(x, y))
    assert whole.now == plain.now < 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("balanced_l1", {"alpha": 0.0}),
        ("balanced_l1", {"gamma": -1.0}),
        ("dynamic_smooth_l1", {"beta": 0.0}),
        ("dynamic_smooth_l1", {"every": 0}),
        ("dynamic_smooth_l1", {"smallest": 0}),
    ],
)
def test_wrong_words_are_refused(name, words):
    with pytest.raises(UsageError):
        create(name, **words)


@pytest.mark.parametrize("name", ["balanced_l1", "dynamic_smooth_l1"])
def test_other_shapes_are_refused(name):
    with pytest.raises(UsageError, match="one shape"):
        create(name)(torch.zeros(3, 4), torch.zeros(2, 4))


@pytest.mark.parametrize("name", ["balanced_l1", "dynamic_smooth_l1"])
def test_half_precision(name):
    x = torch.tensor([[60000.0, 0.5, 1, 2]], dtype=torch.half)
    assert create(name, reduction="none")(x, 0 * x).isfinite().all()
