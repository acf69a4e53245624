import pytest
import torch
from torch import nn

from torchatlas import get


def test_swa_is_the_mean_of_snapshots():
    net, snapshots = nn.Linear(3, 2), []
    average = get("swa")(net)
    for _ in range(4):
        with torch.no_grad():
            for p in net.parameters():
                p.normal_()
        snapshots.append(net.weight.detach().clone())
        average.update_parameters(net)
    assert torch.allclose(average.module.weight, sum(snapshots) / 4, atol=1e-6)


def test_ema_weights_has_its_closed_form():
    average, now = torch.full((2,), 8.0), torch.full((2,), 2.0)
    move = get("ema_weights")(0.75)
    for t in range(1, 6):
        move([average], [now], t)
        assert average.tolist() == pytest.approx([2 + 6 * 0.75**t] * 2)
