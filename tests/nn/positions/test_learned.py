import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

from .plain import equal, numbers


@pytest.mark.parametrize("name", ["learned_pe"])
def test_a_row_of_the_table_for_each_place(name):
    layer, x = create(name, context=7, width=3).double(), torch.randn(2, 5, 3, dtype=torch.double)
    choose = torch.eye(7, dtype=torch.double)[:5]  # one-hot places times the table
    equal(layer(x), x + choose @ layer.weight)
    with pytest.raises(UsageError, match="context"):
        layer(torch.zeros(1, 8, 3))


@pytest.mark.parametrize("name", ["learned_pe"])
def test_it_starts_normal(name):
    weight = create(name, context=200, width=50, std=0.02).weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.05) and abs(weight.mean().item()) < 1e-3


@pytest.mark.parametrize("name", ["hierarchical_pe"])
@pytest.mark.parametrize("alpha", [0.4, 0.7])
def test_places_are_made_of_two(name, alpha):
    layer = create(name, context=3, width=4, alpha=alpha).double()
    p, got = numbers(layer.weight), layer(torch.zeros(1, 8, 4, dtype=torch.double))[0]
    u = [(p[i] - alpha * p[0]) / (1 - alpha) for i in range(3)]
    for place in range(8):
        i, j = divmod(place, 3)
        equal(got[place], alpha * u[i] + (1 - alpha) * u[j])
    equal(got[:3], layer.weight)
    assert layer(torch.zeros(1, 9, 4)).shape == (1, 9, 4)
    with pytest.raises(UsageError, match="context of 9"):
        layer(torch.zeros(1, 10, 4))


def test_an_alpha_that_makes_places_alike():
    for alpha in (0.0, 0.5, 1.0):
        with pytest.raises(UsageError, match="alpha"):
            create("hierarchical_pe", context=3, width=4, alpha=alpha)
