import numpy as np
import pytest
from sklearn import datasets

from torchatlas.data import open_dataset


@pytest.mark.parametrize(
    ("name", "classes"),
    [("two_moons", 2), ("circles", 2), ("eight_gaussians", 8), ("spirals", 2)],
)
def test_points_of_the_plane_in_classes_of_equal_size(name, classes):
    data, again = open_dataset(name), open_dataset(name)
    assert (list(data.inputs), len(data), data.task) == (["x", "y"], 4000, "classification")
    assert np.bincount(data.target).tolist() == [4000 // classes] * classes
    assert len(data.classes) == classes
    assert data.inputs.equals(again.inputs) and data.target.equals(again.target)


def test_moons_and_circles_are_scikit_learn_s():
    x, y = datasets.make_moons(4000, noise=0.05, random_state=0)
    data = open_dataset("two_moons")
    assert (data.inputs.to_numpy() == x).all() and (data.target.to_numpy() == y).all()
    x, y = datasets.make_circles(4000, factor=0.5, noise=0.05, random_state=0)
    data = open_dataset("circles")
    assert (data.inputs.to_numpy() == x).all() and (data.target.to_numpy() == y).all()
    for name, outside in (("circles", 1.0), ("two_moons", None)):
        data = open_dataset(name)
        first = data.inputs[data.target == 0].to_numpy()
        if outside:
            assert abs(np.linalg.norm(first, axis=1).mean() - outside) < 0.01  # "outer" is class 0
        else:
            assert first[:, 1].mean() > 0.5  # "upper" is class 0


def test_eight_gaussians_lie_on_a_circle():
    data = open_dataset("eight_gaussians")
    points = data.inputs.to_numpy()
    for k in range(8):
        cluster = points[data.target == k]
        centre = (2 * np.cos(k * np.pi / 4), 2 * np.sin(k * np.pi / 4))
        assert np.abs(cluster.mean(0) - centre).max() < 0.04
        assert np.abs(cluster.std(0) - 0.2).max() < 0.02
    assert len(set(data.target[:100])) == 8, "the rows are in the order of the clusters"


def test_spirals_turn_away_from_each_other():
    data = open_dataset("spirals")
    points = data.inputs.to_numpy()
    radius, angle = np.linalg.norm(points, axis=1), np.arctan2(points[:, 1], points[:, 0])
    arm = data.target.to_numpy()
    off = angle - 3 * radius - np.pi * arm  # r = angle / 3 along each arm, the second half a turn on
    away = np.abs(np.exp(1j * off) - 1)[radius > 1]
    assert np.quantile(away, 0.95) < 0.7
    assert 2.9 < radius.max() < 3.6
