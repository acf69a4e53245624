import math

import pytest
import torch
from torch import nn

from torchatlas.generative.flows import Coupling, ResidualNet, alternating, channels, checkerboard


class Table(nn.Module):
    """A coupling's network of two values that can be worked out by hand: s and t from the value seen."""

    def forward(self, x):
        seen = x.sum(1, keepdim=True)
        return torch.cat([seen, 2 * seen, 3 * seen, seen.square()], 1)  # raw s of both, then t of both


def test_the_coupling_is_the_paper_s_formula():
    coupling = Coupling(alternating(2), Table()).double().requires_grad_(False)
    coupling.gain.data.copy_(torch.tensor([0.9, 0.7], dtype=torch.double))
    z, log_det = coupling(torch.tensor([[0.4, -1.5]], dtype=torch.double))
    s, t = 0.7 * math.tanh(2 * 0.4), 0.4**2
    assert z[0].tolist() == pytest.approx([0.4, -1.5 * math.exp(s) + t], abs=1e-12)
    assert float(log_det) == pytest.approx(s, abs=1e-12)
    back, log_back = coupling.inverse(z)
    assert back[0].tolist() == pytest.approx([0.4, -1.5], abs=1e-12)
    assert float(log_back) == pytest.approx(-s, abs=1e-12)


def test_it_begins_without_scaling():
    coupling = Coupling(alternating(4), nn.Linear(4, 8))
    assert (coupling(torch.randn(3, 4))[1] == 0).all()


@pytest.mark.parametrize(
    "mask", [checkerboard((2, 4, 4)), checkerboard((2, 4, 4), odd=True), channels((2, 4, 4))]
)
def test_what_the_mask_keeps_is_kept_and_decides(mask):
    net = ResidualNet(mask, 8, 2)
    coupling = Coupling(mask, net).double()
    nn.init.normal_(coupling.gain)
    x = torch.randn(1, 2, 4, 4, dtype=torch.double)
    z, log_det = coupling(x)
    kept = mask.bool()
    assert torch.equal(z[0][kept], x[0][kept])
    assert (z[0][~kept] != x[0][~kept]).all()
    other = torch.where(kept, x, torch.randn_like(x))
    torch.testing.assert_close(coupling(other)[1], log_det, rtol=0, atol=0)
    moved = torch.where(kept, torch.randn_like(x), x)
    assert (coupling(moved)[1] != log_det).all()


def test_masks():
    assert alternating(5).tolist() == [1, 0, 1, 0, 1]
    assert checkerboard((1, 2, 3)).tolist() == [[[1, 0, 1], [0, 1, 0]]]
    assert channels((4, 1, 1)).flatten().tolist() == [1, 1, 0, 0]
    for draw in (
        lambda other: alternating(5, odd=other),
        lambda other: checkerboard((2, 3, 4), odd=other),
        lambda other: channels((4, 2, 2), second=other),
    ):
        assert (draw(False) + draw(True) == 1).all(), "the two masks do not cover every value once"


def test_the_network_tells_a_hidden_pixel_from_a_black_one():
    mask = checkerboard((1, 4, 4))
    net, other = ResidualNet(mask, 8, 1), ResidualNet(1 - mask, 8, 1)
    other.load_state_dict(net.state_dict())
    x = torch.zeros(1, 1, 4, 4)
    assert not torch.allclose(net(x), other(x))
