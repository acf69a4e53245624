import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.boxes import adaptive_nms, diou_nms, nms

from .plain import apart, drawn, greedy, overlap

CASES = [
    (count, seed, by_class) for seed, count in enumerate((1, 2, 8, 60, 200)) for by_class in (False, True)
]


@pytest.mark.parametrize(("count", "seed", "by_class"), CASES)
def test_adaptive_nms_is_greedy_with_a_threshold_of_each_box(count, seed, by_class):
    boxes, scores, classes = drawn(count, seed)
    densities = torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    rows, d = boxes.tolist(), densities.tolist()
    expected = greedy(
        rows,
        scores.tolist(),
        lambda i, j: overlap(rows[i], rows[j]) > max(0.3, d[i]),
        classes.tolist() if by_class else None,
    )
    got = adaptive_nms(boxes, scores, densities, 0.3, classes if by_class else None)
    assert got.tolist() == list(expected)


def test_adaptive_nms_without_crowds_is_nms_and_in_the_densest_keeps_all():
    boxes, scores, _ = drawn(50, 7)
    assert torch.equal(adaptive_nms(boxes, scores, torch.zeros(50)), nms(boxes, scores))
    assert len(adaptive_nms(boxes, scores, torch.ones(50))) == 50


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("count", "seed", "by_class"), CASES)
def test_diou_nms_is_greedy_with_the_distance_taken_off(count, seed, by_class, beta):
    boxes, scores, classes = drawn(count, seed)
    rows = boxes.tolist()
    expected = greedy(
        rows,
        scores.tolist(),
        lambda i, j: overlap(rows[i], rows[j]) - apart(rows[i], rows[j]) ** beta > 0.3,
        classes.tolist() if by_class else None,
    )
    assert diou_nms(boxes, scores, 0.3, classes if by_class else None, beta).tolist() == list(expected)


def test_diou_nms_of_a_large_power_is_nms_and_spares_what_lies_apart():
    boxes, scores, _ = drawn(80, 8)
    assert torch.equal(diou_nms(boxes, scores, 0.5, beta=200.0), nms(boxes, scores, 0.5))
    pair = torch.tensor([[0.0, 0, 10, 4], [3, 0, 13, 4]])  # IoU 7/13, centres apart
    assert nms(pair, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0]
    assert diou_nms(pair, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0, 1]


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.6])
def test_diou_nms_drops_no_pair_that_nms_keeps(threshold):
    for seed in range(40):
        boxes, scores, _ = drawn(2, seed)
        assert len(diou_nms(boxes, scores, threshold)) >= len(nms(boxes, scores, threshold))


def test_empty_equal_and_boxes_without_area():
    for form in (lambda b, s: adaptive_nms(b, s, 0 * s), diou_nms):
        assert form(torch.zeros(0, 4), torch.zeros(0)).tolist() == []
        assert form(torch.ones(3, 4), torch.tensor([0.1, 0.3, 0.2])).tolist() == [1, 2, 0]
        assert form(torch.tensor([[0.0, 0, 1, 1]] * 3), torch.ones(3)).tolist() == [0]


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="density"):
        adaptive_nms(torch.zeros(3, 4), torch.zeros(3), torch.zeros(2))
    with pytest.raises(UsageError, match="diou_nms wants"):
        diou_nms(torch.zeros(3, 4), torch.zeros(2))
    with pytest.raises(UsageError, match="beta"):
        diou_nms(torch.zeros(3, 4), torch.zeros(3), beta=0.0)
