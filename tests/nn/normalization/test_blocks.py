from math import exp, sqrt
from statistics import fmean

import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.normalization import MixLN, PostLN, PreLN

X = torch.randn(3, 4, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 3 + 1


def tanh(row: list[float]) -> list[float]:
    return [(exp(v) - exp(-v)) / (exp(v) + exp(-v)) for v in row]


def normed(row: list[float]) -> list[float]:
    mean = fmean(row)
    root = sqrt(fmean((v - mean) ** 2 for v in row) + 1e-5)
    return [(v - mean) / root for v in row]


def plus(a: list[float], b: list[float]) -> list[float]:
    return [u + v for u, v in zip(a, b, strict=True)]


def pre(row: list[float]) -> list[float]:
    return plus(row, tanh(normed(row)))


def post(row: list[float]) -> list[float]:
    return normed(plus(row, tanh(row)))


@pytest.mark.parametrize(("name", "expected"), [("pre_ln", pre), ("post_ln", post)])
def test_where_the_norm_stands(name, expected):
    y = create(name, branch="tanh", features=4).double()(X)
    for row, got in zip(X.tolist(), y.tolist(), strict=True):
        assert got == pytest.approx(expected(row))


@pytest.mark.parametrize(
    ("alpha", "late"), [(0.0, 0), (0.25, 1), (0.3, 1), (0.5, 2), (0.8, 4), (0.99, 4), (1.0, 5)]
)
def test_mix_ln_begins_with_post_ln(alpha, late):
    stack = create("mix_ln", branches=("tanh",) * 5, features=4, alpha=alpha).double()
    for row, got in zip(X.tolist(), stack(X).tolist(), strict=True):
        for layer in range(5):
            row = post(row) if layer < late else pre(row)
        assert got == pytest.approx(row)


def test_a_layer_of_two_branches_counts_once():
    stack = MixLN([("tanh", nn.Linear(4, 4))] * 4, features=4)
    assert [type(part) for part in stack] == [PostLN] * 2 + [PreLN] * 6
    with pytest.raises(UsageError, match="share"):
        MixLN(["tanh"], 4, alpha=1.5)


class Attention(nn.Module):
    def __init__(self, attention: nn.MultiheadAttention):
        super().__init__()
        self.attention = attention

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


@pytest.mark.parametrize(("name", "norm_first"), [("pre_ln", True), ("post_ln", False)])
def test_two_of_them_are_pytorchs_encoder_layer(name, norm_first):
    theirs = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=norm_first)
    feed = nn.Sequential(theirs.linear1, nn.ReLU(), theirs.linear2)
    ours = nn.Sequential(
        create(name, branch=Attention(theirs.self_attn), features=8), create(name, branch=feed, features=8)
    )
    for block, norm in zip(ours, (theirs.norm1, theirs.norm2), strict=True):
        nn.init.normal_(norm.weight)
        block.norm.load_state_dict(norm.state_dict())
    x = torch.randn(2, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x))
