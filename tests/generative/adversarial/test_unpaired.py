import torch

from torchatlas.generative.adversarial.unpaired import Unpaired

SETS = (torch.arange(10), torch.arange(100, 107))


def rows(source: Unpaired, k: int, steps: int) -> list[int]:
    return torch.cat([source.batch(step)[k] for step in range(steps)]).tolist()


def test_each_set_goes_round_in_new_orders_of_its_own():
    source = Unpaired(SETS, 4, seed=0)
    for k, each in enumerate(SETS):
        taken = rows(source, k, 35)
        size = len(each)
        rounds = [taken[i * size : (i + 1) * size] for i in range(140 // size)]
        assert all(sorted(one) == each.tolist() for one in rounds)
        assert len({tuple(one) for one in rounds}) == len(rounds)


def test_a_batch_is_a_function_of_seed_and_step():
    source = Unpaired(SETS, 3, seed=1)
    there = [source.batch(step) for step in range(20)]
    for step in (13, 2, 19, 0):
        fresh = Unpaired(SETS, 3, seed=1).batch(step)
        for got in (source.batch(step), fresh):
            assert all(torch.equal(a, b) for a, b in zip(got, there[step], strict=True))
    assert rows(Unpaired(SETS, 3, seed=2), 0, 9) != rows(source, 0, 9)


def test_batches_are_whole_and_an_epoch_is_a_round_of_the_larger_set():
    source = Unpaired(SETS, 4, seed=0)
    assert source.steps_per_epoch == 3
    assert all(len(part) == 4 for step in range(30) for part in source.batch(step))
    assert Unpaired(SETS, 64, seed=0).batch_size == 7
