from fractions import Fraction

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.boxes import areas, centre_distance, centre_gap, hull, pairwise_iou, shared


def exact(a: list[int], b: list[int]) -> Fraction:
    """The overlap by counting, in fractions."""

    def length(low: int, high: int) -> int:
        return max(0, high - low)

    both = length(max(a[0], b[0]), min(a[2], b[2])) * length(max(a[1], b[1]), min(a[3], b[3]))
    sizes = [length(box[0], box[2]) * length(box[1], box[3]) for box in (a, b)]
    return Fraction(both, sum(sizes) - both) if sum(sizes) else Fraction(0)


def drawn(count: int, seed: int, span: int = 12) -> torch.Tensor:
    return torch.randint(0, span, (count, 4), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("span", [4, 12, 10**6, 10**9])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
def test_every_pair_is_exact(span, dtype):
    first, second = drawn(20, 1, span), drawn(30, 2, span)  # some the wrong way round: those are empty
    got = pairwise_iou(first.to(dtype), second.to(dtype))
    expected = [[float(exact(a, b)) for b in second.tolist()] for a in first.tolist()]
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.double), rtol=1e-14, atol=0)


def test_touching_empty_and_equal_boxes():
    boxes = torch.tensor([[0.0, 0, 2, 2], [2, 0, 4, 2], [1, 1, 1, 1], [0, 0, 2, 2]])
    got = pairwise_iou(boxes, boxes)
    assert got[0].tolist() == [1, 0, 0, 1] and got[2].tolist() == [0, 0, 0, 0]
    assert areas(boxes).tolist() == [4, 4, 0, 4]
    assert pairwise_iou(boxes[:0], boxes).shape == (0, 4) and pairwise_iou(boxes, boxes[:0]).shape == (4, 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_large_coordinates_do_not_overflow(dtype):
    large = torch.finfo(dtype).max / 4
    boxes = torch.tensor([[0, 0, large, large], [large / 2, 0, large, large]], dtype=dtype)
    got = pairwise_iou(boxes, boxes)
    assert got.dtype == dtype and got.tolist() == [[1, 0.5], [0.5, 1]]


def test_gradient():
    boxes = torch.tensor([[0.0, 0, 3, 2], [1, 1, 4, 5], [7, 7, 8, 9]], dtype=torch.double, requires_grad=True)
    torch.autograd.gradcheck(lambda x: pairwise_iou(x, x[:2] + 0.25), (boxes,))
    empty = torch.zeros(1, 4, requires_grad=True)
    pairwise_iou(empty, empty.detach()).sum().backward()
    assert empty.grad.isfinite().all()


def test_other_shapes_are_refused():
    with pytest.raises(UsageError, match=r"shape \(n, 4\).*\(4,\)"):
        pairwise_iou(torch.zeros(4), torch.zeros(2, 4))


def test_the_box_around_both_and_the_way_between_centres():
    a, b = torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 1, 4, 3])
    assert [x.item() for x in hull(a, b)] == [4, 3]
    assert [x.item() for x in hull(a[[2, 3, 0, 1]], b)] == [4, 3]  # whichever way round
    assert [x.item() for x in centre_gap(a, b)] == [1.5, 1]
    assert centre_distance(a, b).item() == pytest.approx(3.25 / 25)
    assert centre_distance(a, a) == 0 and centre_distance(0 * a, 0 * a) == 0
    both, either = shared(a, b)
    assert both == 1 and either == 9


def test_pairs_are_broadcast():
    a, b = drawn(4, 1).double(), drawn(5, 2).double()
    for measure in (shared, hull, centre_gap):
        every = measure(a[:, None], b)
        alone = [measure(a[2], b[3])[k] for k in (0, 1)]
        assert every[0].shape == (4, 5) and [every[k][2, 3] for k in (0, 1)] == alone
