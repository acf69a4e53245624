import math

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.networks.transformers.positions import LearnedPositions, SinusoidalPositions, sinusoids


def test_sinusoids_are_the_formula_of_the_paper():
    table = sinusoids(50, 6)
    for t in range(50):
        for i in range(3):
            angle = t / 10_000 ** (2 * i / 6)
            assert float(table[t, 2 * i]) == pytest.approx(math.sin(angle), abs=1e-6)
            assert float(table[t, 2 * i + 1]) == pytest.approx(math.cos(angle), abs=1e-6)


def test_a_step_turns_every_pair_by_its_own_angle():
    pairs = sinusoids(40, 8).unflatten(1, (4, 2))
    turned = (pairs[:-1] * pairs[1:]).sum(2)  # the cosine of the angle between neighbours
    expected = torch.tensor([math.cos(10_000 ** (-2 * i / 8)) for i in range(4)])
    torch.testing.assert_close(turned, expected.expand(39, 4), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [LearnedPositions, SinusoidalPositions])
def test_positions_are_added_from_the_first_on(kind):
    positions, x = kind(10, 4), torch.randn(2, 3, 4)
    table = positions.weight if kind is LearnedPositions else positions.table
    torch.testing.assert_close(positions(x), x + table[:3])
    with pytest.raises(UsageError, match="11 characters are more than the context of 10"):
        positions(torch.zeros(1, 11, 4))


def test_sines_and_cosines_come_in_pairs():
    with pytest.raises(UsageError, match="must be even"):
        sinusoids(4, 5)
