from functools import partial

import torch

from torchatlas.data.augmentation import Cutout, RandomFlip, chain


def test_names_classes_and_functions_come_one_after_another():
    made = chain(("random_flip", Cutout, partial(RandomFlip, probability=1.0)))
    assert [type(each) for each in made] == [RandomFlip, Cutout, RandomFlip] and made[2].probability == 1
    x = torch.randn(2, 1, 4, 4)
    assert torch.equal(chain(partial(RandomFlip, 1.0))(x), x.flip(-1))
