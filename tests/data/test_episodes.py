import pytest
import torch

from torchatlas.data.episodes import Episodes
from torchatlas.data.spec import Part
from torchatlas.engine.errors import DataError

X = torch.arange(60.0).view(30, 2)
Y = torch.arange(30) % 6
PART = Part(X, Y, Y.numpy())


def test_an_episode_holds_its_classes_in_order_and_no_sample_twice():
    source = Episodes(PART, way=4, shot=2, query=3, seed=0, tasks=2)
    sx, sy, qx, qy = source.batch(7)
    assert sx.shape == (2, 8, 2) and qx.shape == (2, 12, 2)
    assert sy.tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]] * 2
    assert qy.tolist() == [[0] * 3 + [1] * 3 + [2] * 3 + [3] * 3] * 2
    for k in range(2):
        rows = torch.cat([sx[k], qx[k]])[:, 0].long() // 2  # which row of X each sample is
        assert len(rows.unique()) == 20
        labels, numbers = Y[rows], torch.cat([sy[k], qy[k]])
        assert len(set(zip(labels.tolist(), numbers.tolist(), strict=True))) == 4  # one class, one number


def test_episodes_are_a_function_of_seed_and_step():
    one, two = (Episodes(PART, 3, 1, 2, seed=5, tasks=2) for _ in range(2))
    two.batch(0)
    assert all(torch.equal(a, b) for a, b in zip(one.batch(9), two.batch(9), strict=True))
    assert not torch.equal(one.batch(9)[0], one.batch(10)[0])
    other = Episodes(PART, 3, 1, 2, seed=6, tasks=2)
    assert not torch.equal(one.batch(9)[0], other.batch(9)[0])


def test_every_class_comes_up_equally_often():
    source = Episodes(PART, 2, 1, 1, seed=0)
    labels = torch.cat([Y[source.rows(s, 0)[:, 0]] for s in range(600)])
    share = labels.bincount() / len(labels)
    assert (share - 1 / 6).abs().max() < 0.04


def test_trials_are_the_same_each_time():
    source = Episodes(PART, 2, 1, 1, seed=0)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(source.trials(3), source.trials(3), strict=True))


def test_too_few_classes_or_samples_are_told():
    with pytest.raises(DataError, match=r"7-way .* this part has 6 such classes of 6"):
        Episodes(PART, 7, 1, 1, seed=0)
    with pytest.raises(DataError, match="this part has 0 such classes of 6"):
        Episodes(PART, 2, 3, 3, seed=0)
