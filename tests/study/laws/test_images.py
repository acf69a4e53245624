"""The laws of networks of images catch what they are there for."""

import pytest
from torch import nn

from torchatlas.cards.card import Card
from torchatlas.cards.reader import catalog
from torchatlas.networks.image import AbstractImageNetwork
from torchatlas.networks.layers import conv_norm, mean_pool
from torchatlas.study.laws import images, laws_for, networks


class Sound(AbstractImageNetwork):
    """Two stages; a subclass breaks one thing."""

    def __init__(self, num_classes=3, in_channels=1, input_size=(12, 12)):
        stages = [
            nn.Sequential(conv_norm(8, 8, 3)),
            nn.Sequential(conv_norm(8, 12, 3, 2), conv_norm(12, 12, 3)),
        ]
        super().__init__(conv_norm(in_channels, 8, 3), stages, mean_pool(), 12, num_classes)


class KeepsItsHead(Sound):
    def make_head(self, num_classes):
        return nn.Linear(self.features, 3)


class SkipsTheNeck(Sound):
    def forward_features(self, x):
        return super().forward_features(x) + 1


class GrowsAgain(Sound):
    def __init__(self, **words):
        super().__init__(**words)
        self.stages.append(nn.Sequential(nn.Upsample(scale_factor=2), conv_norm(12, 12, 3)))


class KeepsSinglePrecision(Sound):
    def forward(self, x):
        return super().forward(x).float()


class Drifts(nn.Module):
    """Gives more in each pass, the second one on the way back too."""

    def __init__(self):
        super().__init__()
        self.passes = 0

    def forward(self, x):
        self.passes += 1
        return x * self.passes


class MovesTwice(Sound):
    def __init__(self, **words):
        super().__init__(**words)
        self.stages[1].append(nn.Sequential(Drifts(), conv_norm(12, 12)))


class ReadsMemory(Sound):
    """Takes the numbers in their order in memory."""

    def __init__(self, num_classes=3, in_channels=3, input_size=(12, 12)):
        super().__init__(num_classes, in_channels, input_size)

    def forward(self, x):
        return x.as_strided((len(x), 3), (3, 1))


class NeverFreezes(Sound):
    def freeze(self, *names, until=None):
        return self


BROKEN = {
    "parts_fit_together": (KeepsItsHead, SkipsTheNeck),
    "maps_are_as_told": (GrowsAgain,),
    "memory_layout_changes_nothing": (ReadsMemory,),
    "half_precision_is_near": (KeepsSinglePrecision,),
    "recomputing_changes_nothing": (MovesTwice,),
    "frozen_parts_stay": (NeverFreezes,),
}
CASES = [pytest.param(law, kind, id=kind.__name__) for law, kinds in BROKEN.items() for kind in kinds]


def card(kind):
    return Card(f"{kind.__module__}:{kind.__name__}", "", "network", f"{kind.__module__}:{kind.__name__}")


def test_a_sound_network_keeps_them():
    laws = {law.name: law for law in laws_for(card(Sound))}
    assert {check.__name__ for check in images.LAWS} <= set(laws)
    for check in images.LAWS:
        laws[check.__name__].check()


@pytest.mark.parametrize(("law", "kind"), CASES)
def test_a_broken_one_does_not(law, kind):
    with pytest.raises(AssertionError):
        {check.__name__: check for check in images.LAWS}[law](card(kind))


def test_sizes_of_one_family_keep_their_laws_once():
    cards = catalog()
    assert networks.stands_for_itself(cards["resnet18"]) and networks.stands_for_itself(cards["resnet50"])
    assert not networks.stands_for_itself(cards["resnet34"])
    assert [law.name for law in laws_for(cards["resnet152"])] == ["has_the_stated_size", "full_size_runs"]
