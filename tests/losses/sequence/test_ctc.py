from itertools import product
from math import exp, inf, log

import pytest
import torch

from torchatlas import create


def add(*logs):
    top = max(logs)
    return -inf if top == -inf else top + log(sum(exp(x - top) for x in logs))


def forward(log_y, labels, blank=0):
    """The paper's forward variables, in logarithms."""
    z = [blank] + [s for label in labels for s in (label, blank)]
    alpha = [log_y[0][z[s]] if s < 2 else -inf for s in range(len(z))]
    for row in log_y[1:]:
        alpha = [
            row[z[s]]
            + add(
                alpha[s],
                alpha[s - 1] if s else -inf,
                alpha[s - 2] if s > 1 and z[s] != blank and z[s] != z[s - 2] else -inf,
            )
            for s in range(len(z))
        ]
    return -add(*alpha[-2:])


def collapsed(path, blank=0):
    merged = [symbol for k, symbol in enumerate(path) if not k or symbol != path[k - 1]]
    return [symbol for symbol in merged if symbol != blank]


def brute(log_y, labels):
    paths = product(range(len(log_y[0])), repeat=len(log_y))
    found = [sum(row[s] for row, s in zip(log_y, p, strict=True)) for p in paths if collapsed(p) == labels]
    return -add(*found) if found else inf


def borrowed(log_y, labels, **options):
    loss = create("ctc_loss", **options)
    y = torch.tensor(log_y, dtype=torch.double)[:, None]
    return loss(y, torch.tensor([labels]), torch.tensor([len(log_y)]), torch.tensor([len(labels)])).item()


def draw(frames, symbols, seed=0):
    z = torch.randn(frames, symbols, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    return z.log_softmax(1).tolist()


@pytest.mark.parametrize(("labels", "paths"), [([1], 6), ([1, 1], 1), ([1, 2], 5)])
def test_published_counts_of_paths(labels, paths):
    even = [[-log(3)] * 3] * 3
    for loss in (brute(even, labels), forward(even, labels), borrowed(even, labels, reduction="sum")):
        assert loss == pytest.approx(-log(paths / 27), abs=1e-12)


@pytest.mark.parametrize("labels", [[1], [2, 1], [1, 1], [1, 2, 1], [2, 2, 1]])
@pytest.mark.parametrize("frames", [4, 6])
def test_it_is_the_sum_over_all_alignments(labels, frames):
    log_y = draw(frames, 3)
    expected = brute(log_y, labels)
    assert forward(log_y, labels) == pytest.approx(expected, abs=1e-12)
    assert borrowed(log_y, labels, reduction="sum") == pytest.approx(expected, abs=1e-10)


def test_a_repeat_needs_a_blank_between():
    assert borrowed(draw(2, 3), [1, 1], reduction="sum") == inf == brute(draw(2, 3), [1, 1])
    assert borrowed(draw(2, 3), [1, 1], reduction="sum", zero_infinity=True) == 0


def test_long_sequences_are_the_forward_recursion():
    log_y, labels = draw(60, 5), [1, 1, 4, 2, 3, 3, 3, 1, 4, 2, 2, 1]
    assert borrowed(log_y, labels, reduction="sum") == pytest.approx(forward(log_y, labels), rel=1e-12)


def test_the_mean_divides_each_by_its_length_first():
    y = torch.tensor([draw(6, 3), draw(6, 3, seed=1)], dtype=torch.double).transpose(0, 1)
    target, frames, lengths = torch.tensor([[1, 2, 1], [2, 0, 0]]), torch.tensor([6, 4]), torch.tensor([3, 1])
    each = [forward(draw(6, 3), [1, 2, 1]), forward(draw(6, 3, seed=1)[:4], [2])]
    loss = create("ctc_loss")(y, target, frames, lengths)
    assert loss.item() == pytest.approx((each[0] / 3 + each[1] / 1) / 2, abs=1e-12)
