import torch

from torchatlas.data.samplers import RowsByClass

LABELS = torch.tensor([2, 0, 2, 5, 0, 2])


def test_it_knows_the_rows_of_each_class():
    rows = RowsByClass(LABELS, "a test")
    assert len(rows) == 6 and rows.counts.tolist() == [2, 0, 3, 0, 0, 1]
    assert rows.present.tolist() == [0, 2, 5]
    assert [rows.of(c).tolist() for c in range(6)] == [[1, 4], [], [0, 2, 5], [], [], [3]]


def test_it_draws_rows_of_the_classes_that_it_is_asked_for():
    rows, draw = RowsByClass(LABELS, "a test"), torch.Generator().manual_seed(0)
    classes = torch.tensor([0, 2, 5]).repeat(600)
    found = rows.drawn(classes, draw)
    assert torch.equal(LABELS[found], classes)
    times = torch.bincount(found, minlength=6).tolist()
    assert times[3] == 600 and all(abs(times[k] - 300) < 90 for k in (1, 4))
    assert all(abs(times[k] - 200) < 75 for k in (0, 2, 5))
