"""FGSM and PGD against their formulas in NumPy, on a model whose gradient has a closed form."""

import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.inspection.attacks import fgsm, pgd

DRAW = np.random.default_rng(0)
W, B = DRAW.normal(size=(3, 6)), DRAW.normal(size=3)
X, Y = DRAW.uniform(size=(5, 6)), np.array([0, 1, 2, 0, 1])
X[0, :2] = 0, 1  # at the ends of the range


def model(x):
    return x @ torch.from_numpy(W).T + torch.from_numpy(B)


def gradient(x, y):
    """Of the cross entropy of each row: W'(p - onehot)."""
    logits = x @ W.T + B
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return (p - np.eye(3)[y]) @ W


def tensors():
    return torch.from_numpy(X), torch.from_numpy(Y)


def near(got, want):
    np.testing.assert_allclose(got.numpy(), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("targeted", "sign"), [(False, 1), (True, -1)])
def test_fgsm_is_its_formula(targeted, sign):
    want = np.clip(X + sign * 0.15 * np.sign(gradient(X, Y)), 0, 1)
    near(fgsm(model, *tensors(), epsilon=0.15, targeted=targeted), want)
    want = np.clip(X + sign * 0.15 * np.sign(gradient(X, Y)), -0.1, 1.05)
    near(fgsm(model, *tensors(), epsilon=0.15, low=-0.1, high=1.05, targeted=targeted), want)


def test_fgsm_by_default_goes_8_of_255():
    near(fgsm(model, *tensors()), np.clip(X + 8 / 255 * np.sign(gradient(X, Y)), 0, 1))


def test_fgsm_changes_a_linear_score_by_epsilon_times_the_l1_norm():
    def two(x):  # the loss falls with the margin, which is linear
        margin = x @ torch.from_numpy(W[0])
        return torch.stack([margin, -margin], 1)

    x = torch.full((1, 6), 0.5, dtype=torch.float64)
    moved = fgsm(two, x, torch.tensor([0]), epsilon=0.2)
    change = float((two(moved) - two(x))[0, 0])
    assert change == pytest.approx(-0.2 * np.abs(W[0]).sum(), abs=1e-12)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(("step", "used"), [(0.04, 0.04), (None, 0.025)])
def test_pgd_is_its_formula(step, used, targeted):
    moved = X.copy()
    for _ in range(7):
        moved = moved + (-1 if targeted else 1) * used * np.sign(gradient(moved, Y))
        moved = np.clip(np.clip(moved, X - 0.1, X + 0.1), 0, 1)
    words = {"epsilon": 0.1, "steps": 7, "step": step, "random_start": False, "targeted": targeted}
    near(pgd(model, *tensors(), **words), moved)


def test_pgd_in_a_round_ball_is_its_formula():
    moved = X.copy()
    for _ in range(6):
        g = gradient(moved, Y)
        change = moved + 0.1 * g / np.linalg.norm(g, axis=1, keepdims=True) - X
        change *= np.minimum(1, 0.3 / np.linalg.norm(change, axis=1, keepdims=True))
        moved = np.clip(X + change, 0, 1)
    got = pgd(model, *tensors(), epsilon=0.3, steps=6, step=0.1, norm="l2", random_start=False)
    near(got, moved)


def test_pgd_of_one_step_of_size_epsilon_is_fgsm():
    once = pgd(model, *tensors(), epsilon=0.1, steps=1, step=0.1, random_start=False)
    assert torch.equal(once, fgsm(model, *tensors(), epsilon=0.1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_starts_uniformly_in_the_ball(norm):
    x, y = torch.full((20_000, 2), 0.5, dtype=torch.float64), torch.zeros(20_000, dtype=torch.long)
    got = pgd(model, x, y, epsilon=0.2, steps=0, norm=norm, generator=torch.Generator().manual_seed(0))
    change = (got - x) / 0.2
    variance = 1 / 3 if norm == "linf" else 1 / 4  # of one coordinate: of a square, and of a disc
    assert change.mean(0).abs().max() < 0.02
    assert (change.square().mean(0) - variance).abs().max() < 0.01
    assert change.abs().max() > 0.99
    inner = (change.norm(dim=1) < 0.5).double().mean()
    assert abs(float(inner) - (np.pi / 16 if norm == "linf" else 0.25)) < 0.015


def test_pgd_draws_from_the_default_generator_where_none_is_given():
    def moved(seed):
        torch.manual_seed(seed)
        return pgd(model, *tensors(), epsilon=0.3, steps=1, step=0.01)

    assert torch.equal(moved(1), moved(1)) and not torch.equal(moved(1), moved(2))


def test_an_attack_asks_a_module_in_evaluation_mode():
    network = nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.9)).double().train()
    plain = fgsm(network[0], *tensors(), epsilon=0.1)
    assert torch.equal(fgsm(network, *tensors(), epsilon=0.1), plain)
    with torch.no_grad():
        assert torch.equal(fgsm(network, *tensors(), epsilon=0.1), plain)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"epsilon": -0.1}, "at least 0"),
        ({"low": 0.2}, "outside the range 0.2 to 1"),
        ({"norm": "l1"}, "no norm 'l1'"),
        ({"steps": -1}, "steps"),
    ],
)
def test_wrong_words_are_refused(words, told):
    with pytest.raises(UsageError, match=told):
        pgd(model, *tensors(), **words)


def test_a_model_without_a_gradient_is_refused():
    with pytest.raises(UsageError, match="no gradient"):
        fgsm(lambda x: (x > 0.5).double()[:, :3], *tensors())
