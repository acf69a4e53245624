from itertools import product
from math import exp, log

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.losses.sequence import ctc_beam_search, ctc_greedy_decode


def draw(frames, symbols, seed=0):
    z = torch.randn(frames, symbols, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    return z.log_softmax(1)


def collapsed(path, blank=0):
    merged = [symbol for k, symbol in enumerate(path) if not k or symbol != path[k - 1]]
    return tuple(symbol for symbol in merged if symbol != blank)


def exhaustive(log_y, blank=0):
    """The probability of every label sequence, path by path."""
    found = {}
    for path in product(range(len(log_y[0])), repeat=len(log_y)):
        p = exp(sum(row[s] for row, s in zip(log_y, path, strict=True)))
        labels = collapsed(path, blank)
        found[labels] = found.get(labels, 0.0) + p
    return found


def scores(path, symbols=3):
    return torch.nn.functional.one_hot(torch.tensor(path), symbols).double().log()[:, None]


@pytest.mark.parametrize(
    ("path", "labels"),
    [([1, 1, 0, 1], [1, 1]), ([1, 1, 1, 1], [1]), ([0, 0, 0], []), ([2, 0, 1, 1, 2], [2, 1, 2])],
)
def test_ctc_greedy_decode_merges_repeats_then_drops_blanks(path, labels):
    assert ctc_greedy_decode(scores(path)) == [labels]
    assert create("ctc_greedy_decode")(scores(path)) == [labels]


def test_ctc_greedy_decode_takes_lengths_and_another_blank():
    both = torch.cat([scores([1, 1, 2, 0]), scores([2, 2, 0, 1])], 1)
    assert ctc_greedy_decode(both, torch.tensor([3, 2])) == [[1, 2], [2]]
    assert ctc_greedy_decode(both, blank=2) == [[1, 0], [0, 1]]


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ctc_beam_search_without_a_bound_is_exhaustive(seed, blank):
    log_y = draw(5, 3, seed)
    every = exhaustive(log_y.tolist(), blank)
    (ranked,) = ctc_beam_search(log_y[:, None], blank=blank, width=10_000)
    found = {tuple(labels): score for labels, score in ranked}
    assert found.keys() == every.keys()
    for labels, score in found.items():
        assert score == pytest.approx(log(every[labels]), abs=1e-10)
    assert tuple(ranked[0][0]) == max(every, key=every.get)


def test_ctc_beam_search_finds_what_the_best_path_misses():
    log_y = torch.tensor([[0.6, 0.4], [0.6, 0.4]], dtype=torch.double).log()[:, None]
    assert ctc_greedy_decode(log_y) == [[]]  # two blanks: 0.36
    labels, score = ctc_beam_search(log_y)[0][0]
    assert labels == [1] and score == pytest.approx(log(0.16 + 2 * 0.24))


def test_ctc_beam_search_agrees_with_the_loss():
    log_y = draw(12, 5, seed=3)[:, None]
    for labels, score in ctc_beam_search(log_y, width=2000)[0][:3]:
        loss = create("ctc_loss", reduction="sum")(
            log_y, torch.tensor([labels]), torch.tensor([12]), torch.tensor([len(labels)])
        )
        assert score == pytest.approx(-loss.item(), abs=1e-3)  # pruned prefixes are missing from it


def test_ctc_beam_search_takes_lengths_and_keeps_its_width():
    log_y = torch.stack([draw(6, 4, seed=5), draw(6, 4, seed=6)], 1)
    first, second = ctc_beam_search(log_y, torch.tensor([6, 3]), width=7)
    assert len(first) == len(second) == 7
    assert second == ctc_beam_search(log_y[:3, 1:], width=7)[0]
    assert [s for _, s in first] == sorted((s for _, s in first), reverse=True)


def test_what_does_not_fit_is_refused():
    for call in (ctc_greedy_decode, ctc_beam_search):
        with pytest.raises(UsageError, match="blank 3"):
            call(draw(2, 3)[:, None], blank=3)
    with pytest.raises(UsageError, match="0"):
        ctc_beam_search(draw(2, 3)[:, None], width=0)
