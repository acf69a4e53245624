"""Each law of metrics catches a metric that is broken in one way."""

import sys
import types

import pytest
import torch

from torchatlas.cards.card import Card
from torchatlas.metrics import AbstractMetric
from torchatlas.study.laws import metrics


class Mean(AbstractMetric):
    """The mean error: sound."""

    def __init__(self):
        super().__init__()
        self.add_sum("total", dtype=torch.double)
        self.add_sum("count")

    def update(self, prediction, target):
        self.total += (prediction - target).sum()
        self.count += len(target)

    def compute(self):
        return self.total / self.count


class MeanOfMeans(Mean):
    def update(self, prediction, target):
        self.total = (self.total + (prediction - target).mean()) / 2
        self.count.fill_(1)


class LastBatch(Mean):
    def update(self, prediction, target):
        self.reset()
        super().update(prediction, target)


class FirstBatch(Mean):
    def update(self, prediction, target):
        if not self.count:
            super().update(prediction, target)


class Deaf(Mean):
    def merge(self, other):
        pass


class Drains(Mean):
    def merge(self, other):
        super().merge(other)
        other.count += 1


class Remembers(Mean):
    def reset(self):
        self.count.zero_()


class Finishes(Mean):
    def compute(self):
        score = super().compute()
        self.reset()
        return score


class Hides(Mean):
    def __init__(self):
        super().__init__()
        self.most = 0.0

    def update(self, prediction, target):
        super().update(prediction, target)
        self.most = max(self.most, float(prediction.max()))

    def compute(self):
        return super().compute() + self.most


CAUGHT = [
    (Hides, "state_is_all"),
    (MeanOfMeans, "order_does_not_matter"),
    (MeanOfMeans, "merged_halves_are_the_whole"),
    (LastBatch, "every_batch_counts"),
    (FirstBatch, "every_batch_counts"),
    (Deaf, "merged_halves_are_the_whole"),
    (Drains, "merged_halves_are_the_whole"),
    (Remembers, "reset_forgets"),
    (Finishes, "compute_only_reads"),
]


@pytest.fixture
def card_of(monkeypatch):
    """A card for a class of this page, under the name of a module of its own."""

    def card(thing: type) -> Card:
        module = types.ModuleType("metrics_of_one_s_own")
        setattr(module, thing.__name__, thing)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        where = f"{module.__name__}:{thing.__name__}"
        return Card(where, "", "own", where)

    return card


@pytest.mark.parametrize(("thing", "law"), CAUGHT)
def test_a_broken_metric_is_caught(card_of, thing, law):
    with pytest.raises(AssertionError):
        getattr(metrics, law)(card_of(thing))


def test_a_sound_metric_of_one_s_own_keeps_the_laws(card_of):
    for law in metrics.LAWS:
        law(card_of(Mean))
