import pytest
from pydantic import ValidationError

from torchatlas.engine.errors import UsageError
from torchatlas.study.training.recipe import Recipe, first_problem
from torchatlas.study.training.resolve import resolve


@pytest.mark.parametrize("field", ["epochs", "minutes", "lr", "clip", "save_every"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_are_finite(field, value):
    with pytest.raises(UsageError, match=f"{field}={value}: input should be"):
        resolve("mlp", "iris", {field: value})


def test_the_first_problem_names_its_field():
    with pytest.raises(ValidationError) as caught:
        Recipe(method="mlp", data="iris", epochs=float("inf"))
    assert first_problem(caught.value) == "epochs=inf: input should be a finite number"
