"""Initial weights against SciPy's distributions: the Kolmogorov distance of 60,000 draws."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.linalg import hadamard

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


def test_hadamard(same):
    for rows, columns in ((8, 8), (16, 5), (20, 3)):
        ours = create("init_zero_hadamard")(torch.empty(rows, columns, dtype=torch.double))
        size = 2 ** math.ceil(math.log2(rows))
        theirs = (
            hadamard(size)[:rows, :columns] / math.sqrt(size) if rows > columns else np.eye(rows, columns)
        )
        same("init_zero_hadamard", "scipy.linalg.hadamard", ours, theirs, 1e-7)


def test_sparse(same):
    weight = create("init_sparse", sparsity=0.7, std=0.3)(torch.empty(ROWS, COLUMNS, dtype=torch.double))
    kept = weight[weight != 0].numpy()
    distance = stats.kstest(kept, stats.norm(0, 0.3).cdf).statistic
    same("init_sparse", "scipy.stats.norm", distance, 0.0, 1.95 / math.sqrt(len(kept)))
    peer = torch.nn.init.sparse_(torch.empty(ROWS, COLUMNS), 0.7)
    same("init_sparse", "torch.nn.init.sparse_", (weight == 0).sum(0), (peer == 0).sum(0), 0.0)


def test_fixed(same):
    for name, peer, options in (
        ("init_identity", torch.nn.init.eye_, {}),
        ("init_zeros_ones_constant", torch.nn.init.constant_, {"value": 0.3}),
    ):
        theirs = peer(torch.empty(4, 7), *options.values())
        same(name, f"torch.nn.init.{peer.__name__}", create(name, **options)(torch.empty(4, 7)), theirs, 0.0)
    ours = create("init_identity")(torch.empty(4, 7, 3, 5))
    same("init_identity", "torch.nn.init.dirac_", ours, torch.nn.init.dirac_(torch.empty(4, 7, 3, 5)), 0.0)


def test_mimetic(same):
    attention = create("init_mimetic", noise=(0.0, 0.0))(torch.nn.MultiheadAttention(8, 1).double())
    q, k, v = attention.in_proj_weight.detach().numpy().reshape(3, 8, 8)
    same("init_mimetic", "numpy.eye", q.T @ k, 0.7 * np.eye(8), 1e-12)
    same(
        "init_mimetic",
        "numpy.eye",
        v.T @ attention.out_proj.weight.detach().numpy().T,
        -0.4 * np.eye(8),
        1e-12,
    )
