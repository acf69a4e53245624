"""A small batch of embeddings, and plain Python on its rows, for references written with loops."""

from math import exp, log, sqrt

import torch


def batch(rows=9, width=3, classes=3, seed=0, scale=1.0):
    draw = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(rows, width, generator=draw, dtype=torch.double)
    return x, torch.arange(rows) * 7 % classes


def unit(row):
    size = sqrt(sum(v * v for v in row))
    return [v / size for v in row]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def far(a, b):
    return sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def soft(value):
    """log(1 + e^value)."""
    return max(value, 0.0) + log(1 + exp(-abs(value)))


def log_sum(values):
    top = max(values)
    return top + log(sum(exp(v - top) for v in values))


def mean(values):
    return sum(values) / len(values)
