import pytest
import torch
from torch import nn

from torchatlas.data import Augmented, Part, Resident
from torchatlas.data.augmentation import CutMix, GaussianNoise, Mixup, RandomFlip, chain
from torchatlas.engine.errors import UsageError
from torchatlas.engine.loop import Loop, Plan
from torchatlas.learning.supervised import Supervised

ROWS = torch.arange(10)


def part(y=None, weight=None):
    x = torch.randn(10, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return Part(x, torch.arange(10) % 3 if y is None else y, ROWS.numpy(), weight)


def augmented(*augment, seed=0, **words):
    return Augmented(Resident(part(**words), 4, seed), augment, seed, classes=3)


def test_a_batch_is_a_function_of_seed_and_step_alone():
    source = augmented(RandomFlip(), GaussianNoise())
    whole = [source.batch(step) for step in range(5)]
    torch.randn(7)
    again = augmented(RandomFlip(), GaussianNoise())
    for step in (4, 0, 3):
        assert all(torch.equal(a, b) for a, b in zip(again.batch(step, turn=1), whole[step], strict=True))
    assert not torch.equal(whole[0][0], augmented(RandomFlip(), GaussianNoise(), seed=1).batch(0)[0])
    assert source.steps_per_epoch == 3 and not source.draws and source.state_dict() == {}


def test_rows_are_the_source_s_and_data_stays():
    data = part()
    before = data.x.clone()
    source = Augmented(Resident(data, 10, 0), [GaussianNoise(0.5)], 0)
    x, y = source.batch(0)
    assert torch.equal(data.x, before) and torch.equal(y, data.y)
    assert (x - data.x).std().item() == pytest.approx(0.5, abs=0.05)
    plain = Resident(data, 4, 0).batch(1)
    assert torch.equal(Augmented(Resident(data, 4, 0), [GaussianNoise(0.0)], 0).batch(1)[0], plain[0])


def test_what_mixes_gets_probabilities_in_its_place():
    x, y = augmented(RandomFlip(), Mixup(), CutMix()).batch(0)
    assert x.shape == (4, 3, 4, 4) and y.shape == (4, 3) and y.dtype == torch.float32
    torch.testing.assert_close(y.sum(1), torch.ones(4))
    values = torch.randn(10, 2)
    assert augmented(Mixup(), y=values).batch(0)[1].shape == (4, 2)
    assert augmented(chain(("random_flip", "mixup"))).mixes
    with pytest.raises(UsageError, match="sample weights"):
        augmented(Mixup(), weight=torch.ones(10)).batch(0)
    without = Augmented(Resident(Part(part().x, None, ROWS.numpy()), 4, 0), [Mixup()], 0)
    with pytest.raises(UsageError, match="no targets"):
        without.batch(0)


class Divided(Resident):
    def divide(self, pieces, mine):
        self.told = pieces, mine

    def close(self):
        self.closed = True


def test_who_mixes_rows_needs_all_of_them():
    assert not hasattr(Augmented(Divided(part(), 4, 0), [Mixup()], 0), "divide")
    source = Divided(part(), 4, 0)
    whole = Augmented(source, [RandomFlip()], 0)
    whole.divide(2, range(1))
    whole.close()
    assert source.told == (2, range(1)) and source.closed
    augmented(RandomFlip()).close()


def loop(steps):
    torch.manual_seed(0)
    learner = Supervised(nn.Sequential(nn.Flatten(), nn.Linear(48, 3)))
    source = augmented(RandomFlip(), GaussianNoise(), Mixup())
    return Loop(
        learner, source, {"all": torch.optim.SGD(learner.parameters(), 0.1)}, Plan(steps=steps, seed=0)
    )


def test_training_on_it_repeats_itself():
    first, second = loop(6), loop(6)
    first.run()
    second.run()
    for a, b in zip(first.learner.parameters(), second.learner.parameters(), strict=True):
        assert torch.equal(a, b)
