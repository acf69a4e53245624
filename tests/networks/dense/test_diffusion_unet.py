import math

import pytest
import torch

from torchatlas.networks.dense import DiffusionUNet, TimeMLP, time_embedding


def test_the_paper_s_network_has_the_published_size():
    with torch.device("meta"):
        net = DiffusionUNet(3, (32, 32), 128, (1, 2, 2, 2), 2, (1,), 0.1)
    assert sum(p.numel() for p in net.parameters()) == 35_746_307  # "35.7 million"


def test_times_are_sines_then_cosines():
    got = time_embedding(torch.tensor([0, 7, 999]), 8)
    for row, t in zip(got.tolist(), (0, 7, 999), strict=True):
        angles = [t * 10_000 ** (-k / 3) for k in range(4)]
        expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        assert row == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (7, 9), (16, 24)])
def test_any_size_comes_back(size):
    net = DiffusionUNet(2, size, 8, (1, 2, 2), 1)
    x = torch.randn(3, 2, *size)
    assert net(x, torch.tensor([0, 5, 9])).shape == x.shape


def test_levels_end_before_an_odd_size():
    def halvings(size):
        net = DiffusionUNet(1, size, 8, (1, 1, 1, 1), 1)
        return sum(isinstance(m, torch.nn.Upsample) for m in net.modules())

    assert [halvings(s) for s in ((8, 8), (28, 28), (7, 8), (32, 32), (64, 64))] == [1, 2, 0, 3, 3]


def lively(net):
    """With every parameter moved: what begins near zero hides what comes before it."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net.eval()


def test_each_sample_sees_its_own_time_and_nobody_else():
    for net, shape in (
        (lively(DiffusionUNet(1, (8, 8), 8, (1, 2), 1)), (1, 8, 8)),
        (lively(TimeMLP(5)), (5,)),
    ):
        x = torch.randn(1, *shape).expand(3, *shape)
        t = torch.tensor([3, 500, 3])
        with torch.no_grad():
            together = net(x, t)
            alone = torch.cat([net(x[:1], t[k : k + 1]) for k in range(3)])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together[0], together[2])
        assert (together[0] - together[1]).abs().max() > 1e-3


def test_every_pixel_reaches_every_other():
    net = lively(DiffusionUNet(1, (8, 8), 8, (1, 2), 1)).double()
    x = torch.randn(1, 1, 8, 8, dtype=torch.double, requires_grad=True)
    net(x, torch.tensor([4]))[0, 0, 0, 0].backward()
    assert (x.grad != 0).all()


def test_it_begins_near_zero():
    net = DiffusionUNet(1, (8, 8), 16, (1, 2), 1)
    assert net(torch.randn(4, 1, 8, 8), torch.arange(4)).abs().max() < 0.1


def test_it_compiles_whole():
    net, x, t = lively(DiffusionUNet(1, (8, 8), 8, (1, 2), 1)), torch.randn(2, 1, 8, 8), torch.tensor([1, 2])
    torch.compiler.reset()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(x, t), net(x, t), rtol=1e-4, atol=1e-5)
