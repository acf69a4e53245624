from math import ceil, copysign, floor

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

X = torch.randn(3, 2, 8, 12, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def rounded(v: float) -> int:
    return int(copysign(floor(abs(v) + 0.5), v))


def by_hand(box: list[float], size: tuple[int, int], scale: float) -> list[float]:
    left, top, right, bottom = (rounded(v * scale) for v in box[1:])
    height, width = max(bottom - top + 1, 1), max(right - left + 1, 1)
    found = []
    for c in range(2):
        for i in range(size[0]):
            for j in range(size[1]):
                rows = range(floor(i * height / size[0]), ceil((i + 1) * height / size[0]))
                columns = range(floor(j * width / size[1]), ceil((j + 1) * width / size[1]))
                values = [
                    X[int(box[0]), c, top + u, left + v].item()
                    for u in rows
                    for v in columns
                    if 0 <= top + u < 8 and 0 <= left + v < 12
                ]
                found.append(max(values, default=0.0))
    return found


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (1, 1)])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_each_cell_holds_the_largest_number_of_its_part_of_the_box(size, scale):
    generator = torch.Generator().manual_seed(2)
    corners = (
        torch.rand(40, 4, dtype=torch.double, generator=generator) * torch.tensor([12, 8, 12, 8]) / scale
    )
    corners = corners * 1.4 - 2 / scale  # some lie partly or wholly outside, some are the wrong way round
    corners[:10] = (corners[:10] * scale * 2).round() / 2 / scale  # halves
    boxes = torch.cat([torch.randint(3, (40, 1), generator=generator), corners], 1)
    y = create("roi_pool", output_size=size, scale=scale)(X, boxes)
    assert y.shape == (40, 2, *size)
    for box, got in zip(boxes.tolist(), y, strict=True):
        assert got.flatten().tolist() == by_hand(box, size, scale)


def test_the_whole_image_is_adaptive_pooling_and_gradients_reach_the_largest():
    boxes = torch.tensor([[1.0, 0, 0, 11, 7]])
    x = X.clone().requires_grad_()
    y = create("roi_pool", output_size=(4, 3))(x, boxes)
    assert torch.equal(y[0], torch.nn.functional.adaptive_max_pool2d(X[1], (4, 3)))
    y.sum().backward()
    assert x.grad.sum().item() == y.numel() and torch.equal(x.grad[1] > 0, torch.isin(X[1], y))


def test_no_boxes_give_nothing_and_other_shapes_are_told():
    assert create("roi_pool", output_size=2)(X, torch.zeros(0, 5)).shape == (0, 2, 2, 2)
    with pytest.raises(UsageError, match=r"boxes \(n, 5\)"):
        create("roi_pool", output_size=2)(X, torch.zeros(3, 4))
