import torch

from torchatlas.generative.adversarial.pool import SamplePool


def one_by_one(held, new, passed, places, size):
    """The pool as its authors wrote it down: a list, one sample at a time."""
    held, given = list(held), []
    for sample, coin, place in zip(new, passed, places, strict=True):
        if len(held) < size:
            held.append(sample)
            given.append(sample)
        elif coin:
            given.append(sample)
        else:
            given.append(held[place])
            held[place] = sample
    return held, given


def test_a_batch_goes_through_one_by_one():
    pool, held, number = SamplePool((1,), size=5), [], 0
    for count in (3, 4, 12, 1, 40, 7):
        new = [float(number + k + 1) for k in range(count)]
        passed, places = torch.rand(count) < 0.5, torch.randint(5, (count,))
        given = pool.exchange(torch.tensor(new)[:, None], passed, places)
        held, expected = one_by_one(held, new, passed.tolist(), places.tolist(), 5)
        assert given[:, 0].tolist() == expected
        pool.commit()
        assert pool.samples[: len(held), 0].tolist() == held and pool.held == len(held)
        number += count


def test_the_first_fifty_come_back_and_later_about_half_are_old():
    pool, old = SamplePool((2,)), 0
    for k in range(1050):
        given = pool.swapped(torch.full((1, 2), float(k)))
        pool.commit()
        if k < 50:
            assert given[0, 0] == k
        old += int(given[0, 0] != k)
    assert abs(old - 500) < 4 * (1000 / 4) ** 0.5
    assert pool.held == 50 and len(pool.samples.unique()) == 50


def test_nothing_moves_before_the_commit():
    pool = SamplePool((2,), size=4)
    for k in range(3):
        torch.manual_seed(k)
        new = torch.randn(6, 2)
        before = pool.samples.clone()
        draws = []
        for _ in range(2):
            torch.manual_seed(9)
            draws.append(pool.swapped(new))
        assert torch.equal(*draws) and torch.equal(pool.samples, before)
        pool.commit()
        assert not torch.equal(pool.samples, before)


def test_samples_are_kept_without_gradient():
    pool = SamplePool((2,), size=4)
    assert not pool.swapped(torch.randn(3, 2, requires_grad=True) * 2).requires_grad
