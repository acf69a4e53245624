import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.activations.pau import pade

POINTS = (-40.0, -3.0, -1.1, -0.4, 0.0, 0.3, 1.0, 2.7, 40.0)


def formula(x: float, a: list[float], b: list[float], form: str) -> float:
    above = sum(c * x**j for j, c in enumerate(a))
    terms = [c * x**k for k, c in enumerate(b, 1)]
    return above / (1 + (sum(map(abs, terms)) if form == "a" else abs(sum(terms))))


def act(form: str, a: list[float] | None = None, b: list[float] | None = None) -> torch.nn.Module:
    made = create("pau", form=form).double()
    with torch.no_grad():
        made.a.copy_(torch.tensor(a or made.a.tolist(), dtype=torch.double))
        made.b.copy_(torch.tensor(b or made.b.tolist(), dtype=torch.double))
    return made


def value(made: torch.nn.Module, x: float) -> float:
    return made(torch.tensor([x], dtype=torch.double)).item()


@pytest.mark.parametrize("form", ["a", "b"])
@pytest.mark.parametrize("x", POINTS)
def test_it_is_the_formula(form, x):
    made = act(form, [0.3, -1.2, 0.7, 0.1, -0.5, 0.2], [-0.8, 0.4, -0.3, 0.6])
    assert value(made, x) == pytest.approx(formula(x, made.a.tolist(), made.b.tolist(), form), rel=1e-12)
    assert value(act(form.upper()), x) == pytest.approx(
        formula(x, act(form).a.tolist(), act(form).b.tolist(), form), rel=1e-12
    )


@pytest.mark.parametrize(("form", "largest"), [("a", 0.029793), ("b", 0.033558)])
def test_it_starts_near_a_leaky_relu_and_farthest_at_zero(form, largest):
    x = torch.linspace(-3, 3, 2001, dtype=torch.double)
    error = (act(form)(x) - torch.where(x > 0, x, 0.01 * x)).abs()
    assert error.max().item() == pytest.approx(largest, abs=5e-7) and error.argmax() == 1000


def test_known_cases():
    zeros = [0.0] * 4
    for form in "ab":
        assert value(act(form, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], zeros), 2.0) == 321
    softsign = act("b", [0.0, 1.0, 0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0])
    for x in POINTS:
        assert value(softsign, x) == pytest.approx(x / (1 + abs(x)))
    a, b = [0.3, -1.2, 0.7, 0.1, -0.5, 0.2], [0.8, 0.4, 0.3, 0.6]
    for x in (0.0, 0.3, 1.0, 2.7):  # all terms of the denominator are positive
        assert value(act("a", a, b), x) == pytest.approx(value(act("b", a, b), x))


def test_ten_numbers_are_learned():
    assert sum(p.numel() for p in create("pau").parameters()) == 10
    with pytest.raises(UsageError, match="form='c' must be one of a, b"):
        create("pau", form="c")


@pytest.mark.parametrize("form", ["a", "b"])
def test_the_gradients_are_right_by_all_that_it_learns(form):
    x = torch.linspace(-1.7, 2.1, 5, dtype=torch.double, requires_grad=True)
    a = torch.tensor([0.3, -1.2, 0.7, 0.1, -0.5, 0.2], dtype=torch.double, requires_grad=True)
    b = torch.tensor([-0.8, 0.4, -0.3, 0.6], dtype=torch.double, requires_grad=True)

    def call(x, a, b):
        return pade(x, *a.unbind(), *b.unbind(), form, 6)

    assert torch.autograd.gradcheck(call, (x, a, b)) and torch.autograd.gradgradcheck(call, (x, a, b))
