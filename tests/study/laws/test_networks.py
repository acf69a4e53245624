"""The laws of networks that read text catch what they are there for."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchatlas.cards.card import Card
from torchatlas.study.laws import laws_for


class Reader(nn.Module):
    """Each character and the one before it; a subclass breaks one thing."""

    tasks = ("language",)

    def __init__(self, num_classes, context):
        super().__init__()
        self.embedding, self.head = nn.Embedding(num_classes, 64), nn.Linear(64, num_classes)
        self.body = nn.Linear(64, 64)

    def mixed(self, x):
        weights = 0.7 ** torch.arange(x.shape[1])
        return torch.stack(
            [(weights[: t + 1].flip(0)[:, None] * x[:, : t + 1]).sum(1) for t in range(x.shape[1])], 1
        )

    def forward_features(self, ids):
        return self.body(self.mixed(self.embedding(ids))).relu()

    def forward(self, ids):
        return self.head(self.forward_features(ids))


class Ahead(Reader):
    def mixed(self, x):
        return x + x.roll(-1, 1)


class Summed(Reader):
    def mixed(self, x):
        return x + x.sum(1, keepdim=True)


class LateScale(Reader):
    """Divides by the length of the whole text: later characters count, whatever they are."""

    def mixed(self, x):
        return super().mixed(x) / x.shape[1]


class Deaf(Reader):
    def mixed(self, x):
        return super().mixed(F.pad(x, (0, 0, 1, 0))[:, :-1])


class LastOnly(Reader):
    def forward(self, ids):
        return super().forward(ids)[:, -1]


class Forgets(Reader):
    def mixed(self, x):
        return x


def card(kind):
    return Card(
        f"{kind.__module__}:{kind.__name__}", "", "network", "", tiny={"num_classes": 11, "context": 6}
    )


def laws(kind):
    return {law.name: law for law in laws_for(card(kind))}


def test_a_sound_reader_keeps_them():
    for law in laws(Reader).values():
        law.check()


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (Ahead, "later_characters_change_nothing"),
        (Summed, "later_characters_change_nothing"),
        (LateScale, "later_characters_change_nothing"),
        (Deaf, "later_characters_change_nothing"),
        (LastOnly, "shapes_fit"),
        (Forgets, "learns_eight_samples"),
    ],
)
def test_a_broken_reader_is_caught(kind, law):
    with pytest.raises(AssertionError):
        laws(kind)[law].check()
