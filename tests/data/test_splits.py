import numpy as np
import pandas as pd
import pytest

from torchatlas.data import Dataset, open_dataset, split
from torchatlas.engine.errors import DataError, UsageError


def table(n=100, target=None, **fields):
    task = "none" if target is None else "classification"
    return Dataset("d", "table", pd.DataFrame({"x": np.arange(n)}), target, task, **fields)


def whole(parts, n):
    rows = np.concatenate([parts.train, parts.valid, parts.test])
    return np.sort(rows).tolist() == [*range(n)]


def test_the_parts_are_disjoint_and_drawn_by_the_seed():
    data = table()
    one, again, other = split(data, seed=1), split(data, seed=1), split(data, seed=2)
    assert whole(one, 100)
    assert [len(one.train), len(one.valid), len(one.test)] == [68, 12, 20]
    assert one.test.tolist() == again.test.tolist()
    assert one.valid.tolist() == again.valid.tolist()
    assert one.test.tolist() != other.test.tolist()


def test_every_row_is_tested_equally_often():
    counts = np.zeros(40)
    for seed in range(400):
        counts[split(table(40, np.arange(40) % 4), seed=seed, valid=0).test] += 1
    assert counts.sum() == 400 * 8
    assert counts.std() < 3 * np.sqrt(400 * 0.2 * 0.8)
    assert counts.min() > 40


def test_each_class_has_its_share():
    labels = np.repeat(["a", "b", "c"], [70, 20, 10])
    parts = split(table(target=labels), seed=0)
    for rows, total in ((parts.test, 20), (parts.valid, 12)):
        found = pd.Series(labels[rows]).value_counts()
        expected = {"a": 0.7 * total, "b": 0.2 * total, "c": 0.1 * total}
        assert all(abs(found[c] - expected[c]) < 1 for c in "abc")
        assert len(rows) == total


def test_a_class_of_one_row_is_trained_on():
    labels = np.array(["a"] * 50 + ["b"] * 49 + ["rare"])
    for seed in range(5):
        parts = split(table(target=labels), seed=seed)
        assert 99 in parts.train
        assert "1 of 3 classes have too few samples to be in the test part" in parts.notes


def test_no_part_of_share_zero():
    parts = split(table(), seed=0, test=0, valid=0)
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (100, 0, 0)


def test_an_official_test_part_stays():
    parts = split(table(test=[3, 5, 8]), seed=0)
    assert parts.test.tolist() == [3, 5, 8]
    assert whole(parts, 100)
    assert len(parts.valid) == round(0.15 * 97)


def test_groups_stay_together_and_times_in_order():
    group = np.random.default_rng(0).integers(0, 15, 100)
    parts = split(table(group=group), seed=0)
    names = [set(group[rows]) for rows in (parts.train, parts.valid, parts.test)]
    assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
    assert all(names)
    assert whole(parts, 100)
    time = np.random.default_rng(0).permutation(100) // 3
    parts = split(table(time=time), seed=0)
    assert time[parts.train].max() < time[parts.valid].min()
    assert time[parts.valid].max() < time[parts.test].min()
    assert "the same for every seed" in parts.notes[0]
    assert split(table(time=np.arange(100)), seed=0).test.tolist() == [*range(80, 100)]
    assert whole(parts, 100)


@pytest.mark.parametrize("way", ["random", "group", "stratified"])
def test_folds_cover_every_row_once(way):
    labels, group = np.arange(60) % 3, np.arange(60) // 4
    data = table(60, labels, group=group if way == "group" else None)
    folds = [split(data, seed=3, fold=(k, 5), way=way) for k in range(5)]
    assert np.sort(np.concatenate([f.test for f in folds])).tolist() == [*range(60)]
    for parts in folds:
        assert whole(parts, 60)
        if way == "group":
            assert not set(group[parts.test]) & set(group[parts.train])
        else:
            assert np.bincount(labels[parts.test]).tolist() == [4, 4, 4]
    assert split(data, seed=4, fold=(0, 5), way=way).test.tolist() != folds[0].test.tolist()


def test_wrong_words_and_too_few_rows():
    data = table(target=np.arange(100) % 2)
    for error, options, message in (
        (UsageError, {"way": "rondom"}, "did you mean 'random'"),
        (UsageError, {"way": "group"}, "say group=COLUMN"),
        (UsageError, {"test": 1.0}, "test=1.0 must be a share"),
        (UsageError, {"valid": -0.1}, "valid=-0.1 must be a share"),
        (UsageError, {"fold": (5, 5)}, r"0\.\.4"),
        (UsageError, {"fold": (0, 1)}, r"2\.\.100"),
    ):
        with pytest.raises(error, match=message):
            split(data, seed=0, **options)
    with pytest.raises(UsageError, match="stratified"):
        split(table(), seed=0, way="stratified")
    with pytest.raises(DataError, match="2 rows are too few for a test part"):
        split(table(2), seed=0)
    with pytest.raises(DataError, match="only one group left"):
        split(table(group=np.zeros(100)), seed=0)
    with pytest.raises(DataError, match="the same time"):
        split(table(time=np.zeros(100)), seed=0)
    with pytest.raises(UsageError, match="by time"):
        split(table(time=np.arange(100)), seed=0, fold=(0, 3))


def test_a_column_for_groups_decides_the_split(people):
    parts = split(open_dataset(people, group="city"), seed=0, valid=0)
    assert len(set(people["city"].iloc[parts.test]) & set(people["city"].iloc[parts.train])) == 0


def test_group_and_time_together_are_refused_or_one_is_said():
    data = table(40, group=np.arange(40) // 4, time=np.arange(40))
    with pytest.raises(UsageError, match="leave one of them out, or say split=group or split=time"):
        split(data, seed=0)
    by_time = split(data, seed=0, way="time")
    assert by_time.test.tolist() == [*range(32, 40)]
    assert "the split is time: rows of one group may be in several parts" in by_time.notes
    by_group = split(data, seed=0, way="group")
    assert not set(data.group[by_group.test]) & set(data.group[by_group.train])
    assert not any("several parts" in note for note in by_group.notes)
