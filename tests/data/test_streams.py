import torch

from torchatlas.data.spec import Part
from torchatlas.data.streams import Streams

ROWS = torch.arange(10)


def part(n: int, y: bool) -> Part:
    x = torch.arange(n).float()[:, None]
    return Part(x, torch.arange(n) if y else None, ROWS.numpy())


def test_each_round_shows_every_row_once_whatever_the_sizes():
    source = Streams([part(5, True), part(12, False)], [3, 4], seed=0)
    assert source.steps_per_epoch == 3
    few, many = [], []
    for step in range(15):
        x, y, u = source.batch(step)
        assert x.shape == (3, 1) and u.shape == (4, 1)
        assert torch.equal(x[:, 0].long(), y)
        few += y.tolist()
        many += u[:, 0].long().tolist()
    assert all(sorted(few[k : k + 5]) == list(range(5)) for k in range(0, 45, 5))
    assert all(sorted(many[k : k + 12]) == list(range(12)) for k in range(0, 60, 12))
    assert few[:5] != few[5:10]


def test_a_step_is_the_same_whatever_ran_before():
    one = Streams([part(5, True), part(12, False)], [3, 4], seed=3)
    for step in range(9):
        one.batch(step)
    fresh = Streams([part(5, True), part(12, False)], [3, 4], seed=3)
    for step in (8, 2):
        assert all(torch.equal(a, b) for a, b in zip(one.batch(step), fresh.batch(step), strict=True))


def test_a_part_smaller_than_its_batch_goes_round_within_it():
    source = Streams([part(2, True), part(9, False)], [5, 3], seed=0)
    assert sorted(source.batch(0)[1].tolist()) in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])
