"""Boxes as lists, for references in plain Python."""

import torch


def overlap(a, b):
    """The IoU of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    size = [max(c[2] - c[0], 0) * max(c[3] - c[1], 0) for c in (a, b)]
    return both / (sum(size) - both) if sum(size) - both > 0 else 0.0


def apart(a, b):
    """The squared distance of the centres over the squared diagonal around both."""
    dx, dy = ((a[k] + a[k + 2] - b[k] - b[k + 2]) / 2 for k in (0, 1))
    cx, cy = (max(a[k + 2], b[k + 2]) - min(a[k], b[k]) for k in (0, 1))
    return (dx**2 + dy**2) / (cx**2 + cy**2)


def greedy(boxes, scores, drops, classes=None):
    """The places kept, each with those that fell to it, itself first; drops(i, j) says who falls."""
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    clusters = {}
    while order:
        best, *order = order
        same = [j for j in order if classes is None or classes[j] == classes[best]]
        fallen = [j for j in same if drops(best, j)]
        clusters[best] = [best, *fallen]
        order = [j for j in order if j not in fallen]
    return clusters


def drawn(count, seed, span=10.0):
    """Boxes, scores without ties, and three classes."""
    numbers = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=numbers, dtype=torch.double) * span
    size = (0.1 + torch.rand(count, 2, generator=numbers, dtype=torch.double)) * span / 2
    scores = (torch.randperm(count, generator=numbers) + 1).double() / (count + 1)
    return torch.cat([corner, corner + size], 1), scores, torch.randint(0, 3, (count,), generator=numbers)
