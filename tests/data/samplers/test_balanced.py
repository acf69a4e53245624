import pytest
import torch

from torchatlas import create
from torchatlas.data.samplers import ClassBalanced, ProgressivelyBalanced, ReversedSampling
from torchatlas.engine.errors import UsageError

COUNTS = (100, 20, 0, 4)
LABELS = torch.repeat_interleave(torch.arange(4), torch.tensor(COUNTS))[torch.randperm(124)]


def drawn(sampler, epochs=300):
    return torch.cat([sampler.order(epoch) for epoch in range(epochs)])


@pytest.mark.parametrize(
    ("power", "shares"),
    [
        (0.0, [1 / 3, 1 / 3, 0, 1 / 3]),
        (1.0, [100 / 124, 20 / 124, 0, 4 / 124]),
        (0.5, [10 / (12 + 20**0.5), 20**0.5 / (12 + 20**0.5), 0, 2 / (12 + 20**0.5)]),
    ],
)
def test_classes_are_drawn_by_their_power(power, shares):
    sampler = ClassBalanced(LABELS, power=power)
    assert sampler.shares.tolist() == pytest.approx(shares, abs=1e-12)
    rows = drawn(sampler)
    got = torch.bincount(LABELS[rows], minlength=4) / len(rows)
    assert got.tolist() == pytest.approx(shares, abs=5 * (0.25 / len(rows)) ** 0.5)


def test_it_is_pytorch_s_weighted_sampler_in_its_frequencies():
    """Rows are drawn with weights 1 / n of their class: the weights that WeightedRandomSampler is given."""
    weights = 1 / torch.tensor(COUNTS, dtype=torch.double)[LABELS]
    rows = drawn(create("class_balanced_sampling", LABELS, seed=3))
    expected = weights / weights.sum() * len(rows)
    chi_squared = ((torch.bincount(rows, minlength=124) - expected) ** 2 / expected).sum()
    assert chi_squared < 123 + 5 * (2 * 123) ** 0.5
    theirs = torch.utils.data.WeightedRandomSampler(
        weights, len(rows), generator=torch.Generator().manual_seed(0)
    )
    both = torch.stack(
        [torch.bincount(LABELS[torch.as_tensor(r)], minlength=4) for r in (rows, list(theirs))]
    )
    assert (both[0] - both[1]).abs().max() < 5 * (2 * len(rows) * 2 / 9) ** 0.5


def test_an_epoch_has_as_many_rows_as_the_data_and_is_a_function_of_seed_and_epoch():
    one, two = ClassBalanced(LABELS, 5), ClassBalanced(LABELS, 5)
    drawn(one, 4)
    assert len(one.order(4)) == 124
    assert torch.equal(one.order(4), two.order(4))
    assert not torch.equal(one.order(4), one.order(5))
    assert not torch.equal(one.order(4), ClassBalanced(LABELS, 6).order(4))


@pytest.mark.parametrize("labels", [torch.randn(4), torch.zeros(4, 2).long(), torch.zeros(0).long()])
def test_what_has_no_classes_is_refused(labels):
    with pytest.raises(UsageError, match="needs class numbers"):
        ClassBalanced(labels)


def test_reversed_sampling_draws_by_the_inverse_of_the_counts():
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor([100, 10, 1]))
    sampler = ReversedSampling(labels, 2)
    assert sampler.shares.tolist() == pytest.approx([1 / 111, 10 / 111, 100 / 111])
    rows = drawn(sampler)
    got = torch.bincount(labels[rows], minlength=3) / len(rows)
    assert got.tolist() == pytest.approx([1 / 111, 10 / 111, 100 / 111], abs=0.01)


def test_progressive_sampling_goes_from_the_rows_to_the_classes():
    sampler = ProgressivelyBalanced(LABELS, 3, epochs=10)
    for epoch, t in ((0, 0.0), (3, 0.3), (10, 1.0), (25, 1.0)):
        want = [(1 - t) * n / 124 + (t / 3 if n else 0) for n in COUNTS]
        assert sampler.shares_in(epoch).tolist() == pytest.approx(want, abs=1e-12)
    early, late = (
        torch.cat([ProgressivelyBalanced(LABELS, seed, epochs=10).order(epoch) for seed in range(200)])
        for epoch in (0, 10)
    )
    rare = [(LABELS[rows] == 3).double().mean().item() for rows in (early, late)]
    assert rare == pytest.approx([4 / 124, 1 / 3], abs=0.02)
    with pytest.raises(UsageError, match="epochs=0"):
        ProgressivelyBalanced(LABELS, epochs=0)
