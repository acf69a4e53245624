"""Convolutions as loops over windows, in float64: slow, and written from the definition alone."""

from collections.abc import Callable

import numpy as np
import torch

Array = np.ndarray
Combine = Callable[[Array, Array], float]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def numbers(tensor: torch.Tensor) -> Array:
    return tensor.detach().numpy()


def both(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def product(window: Array, kernel: Array) -> float:
    return float((window * kernel).sum())


def pixel(x: Array, row: int, column: int) -> float:
    """A number of a map (h, w); 0 outside of it."""
    inside = 0 <= row < x.shape[0] and 0 <= column < x.shape[1]
    return float(x[row, column]) if inside else 0.0


def between(x: Array, row: float, column: float) -> float:
    """A map (h, w) read between its pixels, bilinearly; 0 outside of it."""
    top, left = int(np.floor(row)), int(np.floor(column))
    total = 0.0
    for i in (top, top + 1):
        for j in (left, left + 1):
            total += (1 - abs(row - i)) * (1 - abs(column - j)) * pixel(x, i, j)
    return total


def conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    combine: Combine = product,
) -> Array:
    """Each window (c / groups, height, width) combined with each kernel of its group, window by window."""
    a, w, (s, t), (p, q), (d, e) = numbers(x), numbers(weight), both(stride), both(padding), both(dilation)
    a = np.pad(a, ((0, 0), (0, 0), (p, p), (q, q)))
    out, inside, height, width = w.shape
    b = np.zeros(out) if bias is None else numbers(bias)
    down = (a.shape[2] - d * (height - 1) - 1) // s + 1
    across = (a.shape[3] - e * (width - 1) - 1) // t + 1
    y = np.zeros((len(a), out, down, across))
    for n in range(len(a)):
        for o in range(out):
            first = o // (out // groups) * inside
            for i in range(down):
                for j in range(across):
                    window = np.zeros((inside, height, width))
                    for c in range(inside):
                        for u in range(height):
                            for v in range(width):
                                window[c, u, v] = a[n, first + c, i * s + u * d, j * t + v * e]
                    y[n, o, i, j] = combine(window, w[o]) + b[o]
    return y


def equal(got: torch.Tensor, expected: Array | torch.Tensor, tolerance: float = 1e-11) -> None:
    torch.testing.assert_close(got, torch.as_tensor(expected), rtol=tolerance, atol=tolerance)
