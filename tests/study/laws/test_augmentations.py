"""The laws of augmentations catch what is broken in one way."""

import sys

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import augmentations

BROKEN = """
import torch
from torchatlas.data.augmentation import CutMix, GaussianNoise, Mixup, RandomFlip


class InPlace(GaussianNoise):
    def forward(self, x):
        return x.add_(torch.randn_like(x))


class Single(GaussianNoise):
    def forward(self, x):
        return super().forward(x).float()


class Burns(GaussianNoise):
    def forward(self, x):
        return super().forward(x) / 0


class Still(RandomFlip):
    def forward(self, x):
        return x.flip(-1)


class Own(GaussianNoise):
    drawn = torch.Generator().manual_seed(0)

    def forward(self, x):
        return x + torch.randn(x.shape, generator=self.drawn, dtype=x.dtype)


class Alike(RandomFlip):
    def forward(self, x):
        return x + torch.randn(1, 1, *x.shape[2:], dtype=x.dtype)


class Neighbours(GaussianNoise):
    def forward(self, x):
        return super().forward(x) - x.mean(0)


class Turned(Mixup):
    def forward(self, x, y):
        mixed, target = super().forward(x, y)
        return mixed, 1 - target


class Asked(CutMix):
    def mix(self, x, other, share):
        return super().mix(x, other, share)[0], share


class Little(Mixup):
    def share(self, x):
        return 1 - super().share(x) / 100
"""
CASES = [
    ("InPlace", "batches_keep_their_form"),
    ("Single", "batches_keep_their_form"),
    ("Burns", "batches_keep_their_form"),
    ("Still", "noise_decides"),
    ("Own", "noise_decides"),
    ("Alike", "samples_are_moved_one_by_one"),
    ("Neighbours", "samples_are_moved_one_by_one"),
    ("Turned", "targets_follow_what_is_seen"),
    ("Asked", "targets_follow_what_is_seen"),
    ("Little", "targets_follow_what_is_seen"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_augmentations.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_augmentations", None)


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_augmentation_is_caught(thing, law):
    where = f"broken_augmentations:{thing}"
    checks = {check.__name__: check for check in augmentations.LAWS}
    with pytest.raises(AssertionError):
        checks[law](Card(where, "data/augmentation", "augmentation", where))
