"""From scores per frame to labels, for networks trained by CTC: the best path, and a search over prefixes."""

import math
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError

Beam = dict[tuple[int, ...], tuple[float, float]]  # of each prefix: log p of a blank at its end, and of none


@method(
    "ctc_greedy_decode",
    kind="tool",
    year=2006,
    paper="Graves et al., ICML",
    aliases=("ctc_greedy",),
    topics=("sequence", "speech"),
)
def ctc_greedy_decode(log_probs: Tensor, lengths: Tensor | None = None, blank: int = 0) -> list[list[int]]:
    """CTC best-path decoding: each frame's likeliest symbol, repeats merged, then blanks removed.

    `log_probs` are scores (frames, batch, symbols), as the loss takes them; only their order within a frame
    counts. `lengths` (batch,) says how many frames of each count; None takes all. It gives the labels of each
    sequence of the batch. The likeliest path need not have the likeliest labels.
    """
    frames, batch, _ = _shape(log_probs, blank)
    best = log_probs.argmax(2).cpu()
    ends = [frames] * batch if lengths is None else lengths.tolist()
    paths = (torch.unique_consecutive(best[:end, k]) for k, end in enumerate(ends))
    return [path[path != blank].tolist() for path in paths]


@method(
    "ctc_beam_search",
    kind="tool",
    year=2014,
    paper="arXiv:1408.2873",
    aliases=("ctc_beam", "ctc_prefix_beam_search"),
    topics=("sequence", "speech"),
)
def ctc_beam_search(
    log_probs: Tensor, lengths: Tensor | None = None, blank: int = 0, width: int = 16
) -> list[list[tuple[list[int], float]]]:
    r"""CTC prefix beam search: the likeliest labels, with all of their alignments counted together.

    Of each prefix of labels it keeps the probability of all alignments so far that end in a blank, $p_b$, and
    of those that do not, $p_n$. A frame with probabilities $y$ leaves a prefix as it is by a blank,
    $p_b' = y_b (p_b + p_n)$, or by its last label again, $p_n' = y_l\,p_n$; another label makes it longer,
    from $p_b + p_n$, and the same label again only from $p_b$. After each frame the `width` likeliest
    prefixes are kept; without a bound the search is exact.
    `log_probs` are log-probabilities (frames, batch, symbols), `lengths` (batch,) the frames that count; None
    takes all. It gives for each sequence its prefixes (labels, log-probability), the likeliest first.
    """
    frames, batch, _ = _shape(log_probs, blank)
    if width < 1:
        raise UsageError(f"width must be at least 1, not {width}")
    ends = [frames] * batch if lengths is None else lengths.tolist()
    rows = log_probs.detach().double().cpu().transpose(0, 1)
    return [_search(rows[k, :end].tolist(), blank, width) for k, end in enumerate(ends)]


def _search(frames: Sequence[Sequence[float]], blank: int, width: int) -> list[tuple[list[int], float]]:
    beam: Beam = {(): (0.0, -math.inf)}
    for frame in frames:
        beam = _widened(beam, frame, blank)
        kept = sorted(beam, key=lambda prefix: (-_add(*beam[prefix]), prefix))[:width]
        beam = {prefix: beam[prefix] for prefix in kept}
    found = [(list(prefix), _add(*ends)) for prefix, ends in beam.items() if max(ends) > -math.inf]
    return sorted(found, key=lambda each: (-each[1], each[0]))


def _widened(beam: Beam, frame: Sequence[float], blank: int) -> Beam:
    """All prefixes after one more frame."""
    wider: defaultdict[tuple[int, ...], tuple[float, float]] = defaultdict(lambda: (-math.inf, -math.inf))

    def gain(prefix: tuple[int, ...], on_blank: float, on_label: float) -> None:
        before = wider[prefix]
        wider[prefix] = _add(before[0], on_blank), _add(before[1], on_label)

    for prefix, (on_blank, on_label) in beam.items():
        either = _add(on_blank, on_label)
        gain(prefix, either + frame[blank], -math.inf)
        for symbol, score in enumerate(frame):
            if symbol == blank:
                continue
            again = bool(prefix) and prefix[-1] == symbol
            if again:
                gain(prefix, -math.inf, on_label + score)
            gain((*prefix, symbol), -math.inf, (on_blank if again else either) + score)
    return dict(wider)


def _add(a: float, b: float) -> float:
    """log(e^a + e^b)."""
    low, high = min(a, b), max(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _shape(log_probs: Tensor, blank: int) -> tuple[int, int, int]:
    if log_probs.ndim != 3 or not 0 <= blank < log_probs.shape[2]:
        raise UsageError(
            f"scores are of shape (frames, batch, symbols) with blank among the symbols, not "
            f"{tuple(log_probs.shape)} with blank {blank}"
        )
    frames, batch, symbols = log_probs.shape
    return frames, batch, symbols
