from math import sqrt
from statistics import fmean

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

X = torch.randn(4, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 3 + 2


@pytest.mark.parametrize("layer", [1, 2, 9])
def test_it_is_layer_normalisation_over_the_root_of_the_layer(layer):
    norm = create("layernorm_scaling", normalized_shape=6, layer=layer, eps=0.01).double()
    with torch.no_grad():
        norm.weight.fill_(2.0), norm.bias.fill_(-1.0)
    for row, got in zip(X.tolist(), norm(X).tolist(), strict=True):
        mean = fmean(row)
        root = sqrt(fmean((v - mean) ** 2 for v in row) + 0.01)
        assert got == pytest.approx([(2 * (v - mean) / root - 1) / sqrt(layer) for v in row])


def test_layers_are_counted_from_one():
    with pytest.raises(UsageError, match="counted from 1"):
        create("layernorm_scaling", normalized_shape=6, layer=0)
