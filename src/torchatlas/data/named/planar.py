"""Points in the plane, drawn with a fixed seed: what densities are tried on first."""

from typing import Any

import numpy as np
import pandas as pd

from ..spec import Dataset

COUNT = 4000
SEED = 0


def two_moons() -> Dataset:
    """Two half circles that reach into each other, 4,000 points with noise 0.05."""
    from sklearn.datasets import make_moons

    return _points("two_moons", make_moons(COUNT, noise=0.05, random_state=SEED), ("upper", "lower"))


def circles() -> Dataset:
    """A circle within a circle twice as wide, 4,000 points with noise 0.05."""
    from sklearn.datasets import make_circles

    drawn = make_circles(COUNT, factor=0.5, noise=0.05, random_state=SEED)
    return _points("circles", drawn, ("outer", "inner"))


def eight_gaussians() -> Dataset:
    """Eight normal clusters on a circle of radius 2, standard deviation 0.2, 4,000 points."""
    draw = np.random.default_rng(SEED)
    cluster = draw.permutation(np.arange(COUNT) % 8)
    angle = cluster * np.pi / 4
    centre = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    points = centre + 0.2 * draw.standard_normal((COUNT, 2))
    return _points("eight_gaussians", (points, cluster), tuple(f"at {45 * k}°" for k in range(8)))


def spirals() -> Dataset:
    """Two spirals of one turn and a half around each other, 4,000 points with noise 0.1."""
    draw = np.random.default_rng(SEED)
    arm = draw.permutation(np.arange(COUNT) % 2)
    turn = 3 * np.pi * np.sqrt(draw.random(COUNT))  # the root spreads points evenly along the arm
    line = turn[:, None] * np.stack([np.cos(turn + np.pi * arm), np.sin(turn + np.pi * arm)], 1) / 3
    points = line + 0.1 * draw.standard_normal((COUNT, 2))
    return _points("spirals", (points, arm), ("first", "second"))


def _points(name: str, drawn: tuple[Any, Any], classes: tuple[str, ...]) -> Dataset:
    points, labels = drawn
    frame = pd.DataFrame(points, columns=["x", "y"])
    return Dataset(name, "table", frame, pd.Series(labels, name="part"), "classification", classes=classes)
