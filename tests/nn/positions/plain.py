"""What references of positions share: attention written out, query by query and key by key."""

import math

import numpy as np
import torch

Array = np.ndarray


def heads(*seeds: int, queries: int = 5, keys: int = 5, width: int = 4) -> list[torch.Tensor]:
    """Queries, then keys, values, … (2, 2, n, width), in double precision."""
    return [
        torch.randn(
            2,
            2,
            keys if k else queries,
            width,
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.double,
        )
        for k, seed in enumerate(seeds)
    ]


def numbers(tensor: torch.Tensor) -> Array:
    return tensor.detach().numpy()


def softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    weights = [math.exp(s - top) for s in scores]
    return [w / math.fsum(weights) for w in weights]


def attended(scores: Array, values: Array, factors: Array | None = None) -> Array:
    """(b, h, n, m), (b, h, m, d) -> (b, h, n, d), each query by itself."""
    y = np.zeros((*scores.shape[:3], values.shape[3]))
    for b, h, i in np.ndindex(*scores.shape[:3]):
        weights = softmax(scores[b, h, i].tolist())
        if factors is not None:
            weights = [w * f for w, f in zip(weights, factors[h, i], strict=True)]
        y[b, h, i] = sum(w * v for w, v in zip(weights, values[b, h], strict=True))
    return y


def equal(got: torch.Tensor, expected: Array | torch.Tensor, tolerance: float = 1e-11) -> None:
    torch.testing.assert_close(got, torch.as_tensor(expected), rtol=tolerance, atol=tolerance)
