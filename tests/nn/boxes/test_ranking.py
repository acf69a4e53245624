import pytest
import torch

from torchatlas.nn.boxes import nms, pairwise_iou, ranking
from torchatlas.nn.boxes.ranking import Ranked, above, greedy, owners, settled

from .plain import drawn, greedy as plain, overlap


def clustered(objects, each, seed):
    """Boxes around a few places, as a detector finds them."""
    numbers = torch.Generator().manual_seed(seed)
    centre = 100 * torch.rand(objects, 1, 2, generator=numbers, dtype=torch.double)
    centre = (centre + torch.randn(objects, each, 2, generator=numbers, dtype=torch.double)).flatten(0, 1)
    size = 4 + 2 * torch.rand(objects * each, 2, generator=numbers, dtype=torch.double)
    return torch.cat([centre - size, centre + size], 1), torch.rand(objects * each, generator=numbers)


@pytest.mark.parametrize("block", [1, 3, 128])
@pytest.mark.parametrize("pairs", [1, 50, 1 << 16])
def test_blocks_and_parts_of_any_size_give_the_same(block, pairs, monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK", block)
    monkeypatch.setattr(ranking, "PAIRS", pairs)
    boxes, scores = clustered(12, 15, 0)
    classes = torch.arange(180) % 2
    rows, labels = boxes.tolist(), classes.tolist()
    expected = plain(rows, scores.tolist(), lambda i, j: overlap(rows[i], rows[j]) > 0.4, labels)
    assert nms(boxes, scores, 0.4, classes).tolist() == list(expected)
    ranked = Ranked.of("nms", boxes, scores, classes)
    drops = above(ranked, 0.4)
    kept = greedy(ranked, drops)
    owner = torch.empty(180, dtype=torch.long)
    owner[ranked.order] = ranked.order[owners(ranked, kept, drops)]
    assert {best: {j for j in range(180) if owner[j] == best} for best in expected} == {
        best: set(cluster) for best, cluster in expected.items()
    }
    full = ranked.overlaps(slice(None)).tril(-1)
    assert torch.equal(torch.cat([part.amax(1) for *_, part in ranked.better()]), full.amax(1))


def test_many_boxes_are_kept_as_by_the_matrix():
    boxes, scores = clustered(60, 40, 1)
    assert torch.equal(nms(boxes, scores, 0.5), nms(boxes, scores, 0.5, form="matrix"))


def test_overlaps_are_pairwise_iou_within_a_class():
    boxes, scores, classes = drawn(20, 2)
    ranked = Ranked.of("nms", boxes, scores, classes)
    sorted_boxes, labels = boxes[ranked.order], classes[ranked.order]
    same = labels[:5, None] == labels[3:]
    got = ranked.overlaps(torch.arange(5), slice(3, None))
    assert torch.equal(got, pairwise_iou(sorted_boxes[:5], sorted_boxes[3:]).where(same, 0))
    assert torch.equal(ranked.only(torch.arange(4)).at(slice(None)), sorted_boxes[:4])


def test_a_chain_is_settled_round_by_round():
    chain = torch.tensor([[k, k + 1] for k in range(5)])  # each drops the next one
    assert settled(6, chain).tolist() == [True, False] * 3
    assert settled(6, chain, 1).tolist() == [True] + [False] * 5
    assert settled(6, chain, 2).tolist() == [True, False, True, True, True, True]
    assert settled(0, chain[:0]).tolist() == [] and settled(2, chain[:0]).tolist() == [True, True]
