import pytest
import torch

from torchatlas.data.resident import Resident
from torchatlas.data.samplers import RandomOverSampling, RandomUnderSampling
from torchatlas.data.spec import Part
from torchatlas.engine.errors import UsageError

COUNTS = (40, 11, 0, 4)
LABELS = torch.repeat_interleave(torch.arange(4), torch.tensor(COUNTS))[torch.randperm(55)]

both = pytest.mark.parametrize("kind", [RandomOverSampling, RandomUnderSampling])


def by_class(rows):
    return torch.bincount(LABELS[rows], minlength=4).tolist()


def test_over_sampling_brings_each_class_to_the_largest():
    sampler = RandomOverSampling(LABELS)
    for epoch in range(3):
        rows = sampler.order(epoch)
        assert by_class(rows) == [40, 40, 0, 40] and len(rows) == sampler.rows == 120
        times = torch.bincount(rows, minlength=55)
        assert (times >= 1).all() and (times[LABELS == 0] == 1).all()


def test_over_sampling_draws_again_any_row_of_a_class():
    times = sum(torch.bincount(RandomOverSampling(LABELS).order(e), minlength=55) for e in range(300))
    again = times[LABELS == 3] - 300
    expected = 300 * 36 / 4
    assert ((again - expected).abs() < 5 * expected**0.5).all()


def test_under_sampling_keeps_the_smallest_of_each_class_each_row_once():
    sampler = RandomUnderSampling(LABELS)
    seen = torch.zeros(55)
    for epoch in range(40):
        rows = sampler.order(epoch)
        assert by_class(rows) == [4, 4, 0, 4] and len(rows.unique()) == len(rows) == sampler.rows == 12
        seen[rows] += 1
    assert (seen > 0).all()  # drawn anew


@both
def test_classes_come_mixed_and_an_epoch_is_a_function_of_seed_and_epoch(kind):
    one, two = kind(LABELS, 5), kind(LABELS, 5)
    for epoch in range(4):
        one.order(epoch)
    assert torch.equal(one.order(4), two.order(4))
    assert not torch.equal(one.order(4), one.order(5))
    assert not torch.equal(one.order(4), kind(LABELS, 6).order(4))
    labels = LABELS[one.order(0)]
    assert not torch.equal(labels, labels.sort().values)


@both
def test_a_source_has_epochs_of_its_length(kind):
    part = Part(torch.arange(55.0)[:, None], LABELS, LABELS.numpy())
    sampler = kind(LABELS, 1)
    source = Resident(part, 7, 1, sampler=sampler)
    assert source.steps_per_epoch == -(-sampler.rows // 7)
    rows = torch.cat([source.batch(k)[0][:, 0] for k in range(source.steps_per_epoch)]).long()
    assert torch.equal(rows, sampler.order(0))
    assert len(source.batch(source.steps_per_epoch)[0]) == 7


@both
def test_what_has_no_classes_is_refused(kind):
    for labels in (torch.randn(4), torch.zeros(4, 2).long(), torch.zeros(0).long()):
        with pytest.raises(UsageError, match="needs class numbers"):
            kind(labels)
