import numpy as np
import pytest
import torch

from torchatlas.data import Part, Resident
from torchatlas.engine.errors import UsageError


def part(n=10):
    x = torch.arange(n).float()[:, None]
    return Part(x, torch.arange(n) * 10, np.arange(n), torch.arange(n) * 0.5)


def epoch(source, number):
    steps = range(number * source.steps_per_epoch, (number + 1) * source.steps_per_epoch)
    return [source.batch(step, 0, None) for step in steps]


def test_an_epoch_holds_every_row_once_with_its_target_and_weight():
    batches = epoch(Resident(part(), 4, seed=0), 0)
    assert [len(x) for x, _, _ in batches] == [4, 4, 2]
    x, y, w = (torch.cat(each) for each in zip(*batches, strict=True))
    assert x.flatten().sort().values.tolist() == [*range(10)]
    assert torch.equal(y, (x.flatten() * 10).long())
    assert torch.equal(w, x.flatten() * 0.5)


def test_the_order_is_a_function_of_seed_and_epoch():
    def rows(seed, number):
        return torch.cat([x for x, _, _ in epoch(Resident(part(), 4, seed), number)]).flatten().tolist()

    assert rows(0, 3) == rows(0, 3)
    assert rows(0, 3) != rows(0, 4)
    assert rows(0, 3) != rows(1, 3)


def test_any_step_can_be_asked_for_first():
    walked, jumped = Resident(part(), 3, seed=5), Resident(part(), 3, seed=5)
    for step in range(23):
        last = walked.batch(step, 0, None)
    assert all(torch.equal(a, b) for a, b in zip(last, jumped.batch(22, 0, None), strict=True))


def test_every_turn_of_a_step_gets_the_same_batch():
    source = Resident(part(), 3, seed=5)
    assert torch.equal(source.batch(2, 0, None)[0], source.batch(2, 1, None)[0])


@pytest.mark.parametrize("size", [10, 64])
def test_a_batch_of_everything_is_not_copied(size):
    whole = part()
    source = Resident(whole, size, seed=0)
    assert source.steps_per_epoch == 1
    assert source.batch(7, 0, None)[0].data_ptr() == whole.x.data_ptr()


def test_it_has_no_state():
    source = Resident(part(), 3, seed=0)
    assert source.state_dict() == {}
    source.load_state_dict({})


def test_empty_parts_and_batches_are_refused():
    for rows, size in ((0, 4), (10, 0)):
        with pytest.raises(UsageError, match="both must be at least 1"):
            Resident(part(rows), size, seed=0)
