"""Images as lists, for references in plain Python: what each pixel's probabilities and classes are."""

import math

import torch

IGNORED = -100


def case(classes: int, seed: int, sides=(4, 5), spread: float = 2.0, ignored: bool = True):
    """Scores (2, classes, …) and class numbers (2, …), some of which are ignored."""
    numbers = torch.Generator().manual_seed(seed)
    scores = spread * torch.randn(2, classes, *sides, generator=numbers, dtype=torch.double)
    truth = torch.randint(0, max(2, classes), (2, *sides), generator=numbers)
    if ignored:
        truth[torch.rand(truth.shape, generator=numbers) < 0.2] = IGNORED
    return scores, truth


def softmax(z: list[float]) -> list[float]:
    """Probabilities; of one score, of class 0 and class 1."""
    z = [0.0, *z] if len(z) == 1 else z
    top = max(z)
    parts = [math.exp(x - top) for x in z]
    return [x / sum(parts) for x in parts]


def pixels(scores: torch.Tensor, truth: torch.Tensor) -> list[list[tuple[list[float], int]]]:
    """For each image its pixels that count: the probabilities of the classes, and the class."""
    found = []
    for z, y in zip(scores.flatten(2).transpose(1, 2).tolist(), truth.flatten(1).tolist(), strict=True):
        found.append([(softmax(a), b) for a, b in zip(z, y, strict=True) if b != IGNORED])
    return found


def compared(scores: torch.Tensor) -> range:
    """The classes that a loss compares: all of them, or class 1 where there is one score."""
    return range(1, 2) if scores.shape[1] == 1 else range(scores.shape[1])


def mean(values) -> float:
    """Of at least one number."""
    values = list(values)
    return sum(values) / len(values)
