import numpy as np
import pytest

from torchatlas.data import open_dataset, prepare
from torchatlas.generative.shades import shades_of


@pytest.mark.parametrize(
    ("source", "shades"),
    [
        ("digits", 17),
        (np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), dtype=np.uint8), 256),
        (np.random.default_rng(0).random((40, 6, 6, 1), dtype=np.float32), 256),
        ("iris", 256),
    ],
)
def test_shades_are_those_of_the_source(source, shades):
    data = open_dataset(source) if isinstance(source, str) else open_dataset(source, task="none")
    assert shades_of(prepare(data, seed=0)) == shades
