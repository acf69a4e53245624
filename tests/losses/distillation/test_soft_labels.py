"""The loss of dark knowledge against its formula in plain Python, and the limit of high temperatures."""

from math import exp, log

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses.distillation import KDLoss

STUDENT, TEACHER, TARGET = [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0]], [[0.5, 2.5, -1.0], [0.0, 0.0, 1.0]], [2, 0]


def softened(z, temperature):
    parts = [exp(x / temperature) for x in z]
    return [part / sum(parts) for part in parts]


def double(values):
    return torch.tensor(values, dtype=torch.double)


def soft_gradient(student, teacher, temperature):
    """The gradient of the teacher's part, without the factor of the squared temperature."""
    z = student.clone().requires_grad_()
    loss = KDLoss(temperature, alpha=1.0, reduction="sum")(
        z, (teacher, torch.zeros(len(z), dtype=torch.long))
    )
    loss.backward()
    return z.grad / temperature**2


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.9, 1.0])
def test_the_formula(temperature, alpha):
    each = []
    for z, v, y in zip(STUDENT, TEACHER, TARGET, strict=True):
        q, p = softened(z, temperature), softened(v, temperature)
        divergence = sum(b * log(b / a) for a, b in zip(q, p, strict=True))
        each.append(alpha * temperature**2 * divergence - (1 - alpha) * log(softened(z, 1)[y]))
    target = double(TEACHER), torch.tensor(TARGET)
    got = KDLoss(temperature, alpha, "none")(double(STUDENT), target)
    assert got.tolist() == pytest.approx(each, abs=1e-12)
    assert KDLoss(temperature, alpha)(double(STUDENT), target).item() == pytest.approx(
        sum(each) / 2, abs=1e-12
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_the_gradient_is_the_difference_of_the_probabilities_over_the_temperature(temperature):
    got = soft_gradient(double(STUDENT), double(TEACHER), temperature)
    for row, z, v in zip(got.tolist(), STUDENT, TEACHER, strict=True):
        q, p = softened(z, temperature), softened(v, temperature)
        exact = [(a - b) / temperature for a, b in zip(q, p, strict=True)]
        assert row == pytest.approx(exact, abs=1e-15)


def zero_mean_logits(seed):
    z = torch.randn(50, 10, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    return z - z.mean(1, keepdim=True)


def test_at_high_temperatures_it_is_regression_on_logits():
    """(z - v) / (N T^2) for logits of zero mean: near at T = 1000, far off at T = 1."""
    z, v = zero_mean_logits(0), zero_mean_logits(1)

    def error(temperature):
        limit = (z - v) / (10 * temperature**2)
        return float((soft_gradient(z, v, temperature) - limit).norm() / limit.norm())

    assert error(1000.0) < 0.002
    assert 0.02 < error(20.0) < 0.08
    assert error(1.0) > 0.3


def test_the_factor_keeps_the_gradient_s_size():
    z, v = zero_mean_logits(0), zero_mean_logits(1)
    plain = {t: float(soft_gradient(z, v, t).norm()) for t in (20.0, 40.0, 80.0)}
    assert plain[20.0] / plain[40.0] == pytest.approx(4, abs=0.05)
    assert 400 * plain[20.0] == pytest.approx(1600 * plain[40.0], rel=2e-3)
    assert 1600 * plain[40.0] == pytest.approx(6400 * plain[80.0], rel=2e-3)


def test_a_class_that_the_teacher_rules_out_is_finite():
    z = torch.zeros(1, 3, requires_grad=True)
    loss = KDLoss(1.0, 1.0)(z, (torch.tensor([[0.0, 0.0, -torch.inf]]), torch.tensor([0])))
    loss.backward()
    assert loss.item() == pytest.approx(log(1.5), abs=1e-6)  # halves against thirds
    assert z.grad.tolist()[0] == pytest.approx([-1 / 6, -1 / 6, 1 / 3], abs=1e-6)


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"alpha": 1.1}, {"reduction": "average"}])
def test_wrong_options_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        KDLoss(**options)
