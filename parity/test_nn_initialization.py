"""Initial weights against SciPy's distributions: the Kolmogorov distance of 60,000 draws."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from torchatlas import create

ROWS, COLUMNS = 200, 300
FAR = 1.95 / math.sqrt(ROWS * COLUMNS)  # passed by chance once in a thousand draws; the seed is fixed


def centred(bound):
    return stats.uniform(-bound, 2 * bound)


CASES = {
    "init_normal": ({"mean": 0.3, "std": 0.02}, stats.norm(0.3, 0.02)),
    "init_uniform": ({"a": -0.2, "b": 0.7}, stats.uniform(-0.2, 0.9)),
    "init_trunc_normal": (
        {"mean": 0.5, "std": 1.0, "a": -1.0, "b": 1.5},
        stats.truncnorm(-1.5, 1.0, 0.5, 1.0),
    ),
    "init_xavier": ({"gain": 1.7}, centred(1.7 * math.sqrt(6 / (ROWS + COLUMNS)))),
    "init_kaiming": ({"a": 0.3}, centred(math.sqrt(6 / ((1 + 0.09) * COLUMNS)))),
}


@pytest.mark.parametrize("name", CASES)
def test_distribution(same, name):
    options, theirs = CASES[name]
    weight = torch.empty(ROWS, COLUMNS, dtype=torch.double)
    create(name, **options)(weight)
    distance = stats.kstest(weight.flatten().numpy(), theirs.cdf).statistic
    same(name, f"scipy.stats.{theirs.dist.name}", distance, 0.0, FAR)
    low, high = theirs.support()
    assert low <= weight.min() and weight.max() <= high


def test_orthogonal(same):
    for shape in ((20, 35), (35, 20), (6, 2, 3)):
        weight = (
            create("init_orthogonal", gain=1.3)(torch.empty(shape, dtype=torch.double)).flatten(1).numpy()
        )
        short = weight if weight.shape[0] <= weight.shape[1] else weight.T
        same("init_orthogonal", "numpy.eye", short @ short.T, 1.69 * np.eye(len(short)), 1e-12)
