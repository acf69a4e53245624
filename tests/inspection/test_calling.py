import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.inspection.calling import looked_at, refuse_lazy


class Looks(nn.Module):
    def forward(self, x):
        return x if float(x.sum()) == 0 else None

    def twice(self, x, times=2):
        return times * x


def test_shapes_do_where_nothing_looks_at_numbers():
    for layer, device in ((nn.Linear(2, 3), "meta"), (Looks(), "cpu")):
        out = looked_at(layer, (torch.zeros(1, 2),), {}, "forward", lambda run: run())
        assert out.device.type == device


def test_another_method_with_words():
    x = torch.zeros(2)
    assert looked_at(Looks(), (x,), {"times": 3}, "twice", lambda run: run()).shape == (2,)


def test_nothing_is_left_behind():
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    module[1].eval()
    state, random = torch.get_rng_state(), module[0].running_mean.clone()
    inside = looked_at(module, (torch.ones(3, 2),), {}, "forward", lambda run: (run(), module.training)[1])
    assert not inside and module.training and not module[1].training
    assert torch.equal(state, torch.get_rng_state()) and torch.equal(module[0].running_mean, random)
    with pytest.raises(UsageError, match="no shape yet"):
        refuse_lazy(nn.LazyLinear(3))
