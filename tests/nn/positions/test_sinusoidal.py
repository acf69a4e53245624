import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.positions.sinusoidal import first_waves, waves

from .plain import equal


def wave(place, number, width, base=10_000.0):
    angle = place / base ** (2 * (number // 2) / width)
    return math.cos(angle) if number % 2 else math.sin(angle)


@pytest.mark.parametrize("name", ["sinusoidal_pe"])
@pytest.mark.parametrize("base", [10_000.0, 50.0])
def test_the_papers_formula(name, base):
    table = create(name, context=300, width=10, base=base)(torch.zeros(1, 300, 10))[0]
    expected = [[wave(k, n, 10, base) for n in range(10)] for k in range(300)]
    equal(table.double(), torch.tensor(expected, dtype=torch.double), 1e-6)
    assert table[0].tolist() == [0, 1] * 5


@pytest.mark.parametrize("name", ["sinusoidal_pe"])
def test_products_depend_on_the_distance(name):
    p = waves(torch.arange(40, dtype=torch.double), 8)
    products = p @ p.T
    equal(products[1:, 1:], products[:-1, :-1], 1e-12)
    equal(products.diagonal(), torch.full((40,), 4.0, dtype=torch.double))  # d / 2
    equal(first_waves(40, 8).double(), p, 1e-7)


@pytest.mark.parametrize("name", ["sinusoidal_pe_2d"])
def test_half_for_the_column_and_half_for_the_row(name):
    layer = create(name, height=5, columns=6, width=8)
    added = layer(torch.zeros(2, 4, 6, 8))[1]
    for i in range(4):
        for j in range(6):
            expected = [wave(j, n, 4) for n in range(4)] + [wave(i, n, 4) for n in range(4)]
            assert added[i, j].tolist() == pytest.approx(expected, abs=1e-6)


def test_wrong_words():
    for name, words in [
        ("sinusoidal_pe", {"context": 3, "width": 5}),
        ("sinusoidal_pe", {"context": 3, "width": 0}),
        ("sinusoidal_pe", {"context": 0, "width": 4}),
        ("sinusoidal_pe_2d", {"height": 3, "columns": 3, "width": 6}),
    ]:
        with pytest.raises(UsageError):
            create(name, **words)
    with pytest.raises(UsageError, match="larger"):
        create("sinusoidal_pe_2d", height=3, columns=3, width=8)(torch.zeros(1, 4, 3, 8))
