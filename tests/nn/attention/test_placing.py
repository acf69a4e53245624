from functools import partial

import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.attention import CBAM, SE, attend, attention


def test_attention_is_told_its_channels():
    assert attention("se", 32).excite[0].in_channels == 32
    assert attention(SE, 32).excite[0].in_channels == 32
    assert attention(partial(create, "se", reduction=2), 32).excite[0].out_channels == 16
    assert type(attention("simam", 32)).__name__ == "SimAM"
    assert isinstance(attention("cbam", 16), CBAM)
    for none in (None, "none"):
        assert isinstance(attention(none, 8), nn.Identity)


def test_what_wants_two_maps_cannot_stand_behind_a_block():
    with pytest.raises(UsageError, match="more than one map"):
        attention("aff", 8)


def test_attention_behind_named_blocks():
    net = create("resnet20_cifar", num_classes=3, in_channels=1, depth=8).double().eval()
    x = torch.randn(2, 1, 12, 12, dtype=torch.double)
    plain, blocks = net(x), len(net.stages)
    assert attend(net, **{"stages.0": "se", "stages.2.0": "cbam"}) is net
    assert (
        isinstance(net.stages[0][1], SE)
        and isinstance(net.stages[2][0][1], CBAM)
        and len(net.stages) == blocks
    )
    assert net.stages[0][1].excite[0].in_channels == 16 and not net.stages[0][1].training
    assert net(x).shape == plain.shape and not torch.allclose(net(x), plain)
    assert {p.dtype for p in net.parameters()} == {torch.double}


def test_a_block_that_is_weighted_by_one_stays_itself():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    x, before = torch.randn(2, 1, 5, 5), None
    before = net(x)
    attend(net, **{"0": None})
    assert torch.equal(net(x), before)


def test_names_that_lead_nowhere():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    for places, message in [
        ({"2": "se"}, "no module '2'"),
        ({"1": "se"}, "how many channels"),
        ({"": "se"}, "inside"),
    ]:
        with pytest.raises(UsageError, match=message):
            attend(net, **places)
    with pytest.raises(UsageError, match="no module"):
        attend(net, **{"0": "se", "3": "se"})
    assert isinstance(net[0], nn.Conv2d)
