from math import ceil, floor

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


@pytest.mark.parametrize(("levels", "count"), [((4, 2, 1), 21), ((6, 3, 2, 1), 50)])
@pytest.mark.parametrize("size", [(7, 9), (13, 6), (4, 4)])
def test_a_map_of_any_size_gives_as_many_numbers(levels, count, size):
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    y = create("spp", levels=levels)(x)
    assert y.shape == (2, 3 * count)
    expected = []
    for k in levels:
        for c in range(3):
            for i in range(k):
                for j in range(k):
                    rows = slice(floor(i * size[0] / k), ceil((i + 1) * size[0] / k))
                    columns = slice(floor(j * size[1] / k), ceil((j + 1) * size[1] / k))
                    expected.append(x[1, c, rows, columns].max().item())
    assert y[1].tolist() == expected


@pytest.mark.parametrize("levels", [(), (2, 0)])
def test_levels_without_cells_are_told(levels):
    with pytest.raises(UsageError, match="1 or more"):
        create("spp", levels=levels)
