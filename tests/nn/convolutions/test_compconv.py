import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal, numbers


def expected(
    layer: torch.nn.Module, x: torch.Tensor, out: int, depth: int, few: int, stride: int
) -> np.ndarray:
    """The units one by one, with convolutions in loops."""
    seen, taken, units = numbers(x)[:, :, ::stride, ::stride], 0, []
    made = conv(x, layer.convs[0].weight, layer.convs[0].bias, stride, 1)
    for k in range(depth):
        size = few * 2**k
        if k == depth - 1:
            beside = conv(torch.as_tensor(made), layer.tail.weight, layer.tail.bias, 1, 1, groups=size)
        else:
            beside = np.stack([seen[:, (taken + c) % seen.shape[1]] for c in range(size)], 1)
            taken += size
        units += [made, beside]
        if k < depth - 1:
            both = torch.as_tensor(np.concatenate([made, beside], 1))
            made = conv(both, layer.convs[k + 1].weight, layer.convs[k + 1].bias, 1, 1)
    y = np.concatenate(units, 1)[:, :out]
    return np.stack([y[:, (c % 2) * (out // 2) + c // 2] for c in range(out)], 1)


@pytest.mark.parametrize(
    ("inside", "out", "depth", "few", "stride", "bias"),
    [(3, 8, 1, 4, 1, False), (4, 12, 2, 2, 2, True), (2, 26, 3, 2, 1, False), (7, 12, 3, 1, 2, False)],
)
def test_units_grow_from_the_units_before(inside, out, depth, few, stride, bias):
    words = {"kernel_size": 3, "stride": stride, "depth": depth, "bias": bias}
    layer, x = create("compconv", inside, out, **words).double(), drawn(2, inside, 5, 4)
    equal(layer(x), expected(layer, x, out, depth, few, stride))


@pytest.mark.parametrize(("depth", "few", "count"), [(1, 128, 296_064), (2, 43, 166_410), (3, 19, 109_440)])
def test_its_weights_are_the_stated_number(depth, few, count):
    layer = create("compconv", 256, 256, 3, depth=depth)
    assert sum(p.numel() for p in layer.parameters()) == count
    cost = 256 * few + sum((few * 2**k) ** 2 for k in range(1, depth)) + few * 2 ** (depth - 1)
    assert count == 9 * cost and layer.convs[0].out_channels == few
    assert count / (9 * 256 * 256) == pytest.approx({1: 0.502, 2: 0.282, 3: 0.1855}[depth], abs=5e-4)


@pytest.mark.parametrize(
    ("inside", "base", "depth"), [(64, 128, 1), (128, 128, 1), (256, 128, 2), (511, 128, 2), (512, 128, 3)]
)
def test_wide_layers_divide_deeper_but_not_beyond_three(inside, base, depth):
    assert len(create("compconv", inside, 84, 3, base=base).convs) == depth
    assert len(create("compconv", 16 * inside, 84, 3, base=base).convs) == 3


@pytest.mark.parametrize(
    "words",
    [{"kernel_size": 2}, {"out_channels": 7}, {"base": 0}, {"depth": 0}, {"out_channels": 8, "depth": 3}],
)
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(UsageError):
        create("compconv", **{"in_channels": 4, "out_channels": 14, "kernel_size": 3} | words)
