from fractions import Fraction

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.boxes import areas, pairwise_iou


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
