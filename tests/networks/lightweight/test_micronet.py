import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.lightweight.micronet import ROWS, MicroNet
from torchatlas.nn.activations.dynamic_shift_max import DynamicShiftMax

COUNTS = {  # parameters, and million multiply-adds of the convolutions and dense layers
    "m0": (1_019_590, 3.449),
    "m1": (1_777_587, 5.314),
    "m2": (2_393_876, 10.338),
    "m3": (2_622_960, 18.236),
}


@pytest.mark.parametrize("size", COUNTS)
def test_sizes_are_the_published_ones(size):
    with torch.device("meta"):
        net = create(f"micronet_{size}")
    assert sum(p.numel() for p in net.parameters()) == COUNTS[size][0]
    macs = count_macs(net, torch.zeros(1, 3, 224, 224, device="meta")).total
    assert macs / 1e6 == pytest.approx(COUNTS[size][1], abs=5e-4)
    with torch.device("meta"):
        assert [m.shape[2] for m in net.feature_maps(torch.zeros(1, 3, 224, 224))] == [56, 28, 14, 7]
    assert net.neck[3][0].in_features == ROWS[size][-1][1]


ALL, LATE, LAST, MIDDLE = (True, True, True), (False, True, True), (False, False, True), (False, True, False)
NETS = {
    "m0": ((2, 8, 3, (2, 2), (0, 4), (2, 2), LAST, 1), (2, 12, 3, (2, 1), (0, 4), (4, 4), LATE, 1)),
    "deep": ((1, 8, 3, (1, 4), (4, 4), (4, 2), ALL, 2), (2, 8, 5, (1, 2), (2, 4), (4, 4), ALL, 1)),
    "same": ((1, 8, 3, (1, 4), (4, 4), (4, 4), ALL, 2), (1, 8, 5, (1, 1), (2, 4), (4, 4), LATE, 1)),
    "m3": ((2, 8, 3, (2, 2), (0, 8), (4, 4), MIDDLE, 1), (1, 8, 3, (1, 4), (4, 8), (8, 8), MIDDLE, 2)),
}
ENDS = {
    "end": (1, 16, 3, (1, 2), (4, 4), (0, 0), ALL, 1),
    "m3": (1, 16, 3, (1, 2), (4, 4), (0, 0), MIDDLE, 1),
}


class Plain:
    """The network from its weights alone, in evaluation mode, and the authors' table row by row."""

    def __init__(self, net: nn.Module):
        self.weights = iter(net.state_dict().values())

    def norm(self, x, eps=1e-5):
        gain, shift, mean, variance, _ = (next(self.weights) for _ in range(5))
        shape = (-1, *[1] * (x.ndim - 2))
        gain, shift, mean, variance = (v.reshape(shape) for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + eps).sqrt() + shift

    def conv(self, x, groups, stride=(1, 1)):
        weight = next(self.weights)
        padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        return self.norm(F.conv2d(x, weight, None, stride, padding, 1, groups))

    def depthwise(self, x, stride):
        x = self.conv(x, x.shape[1], (stride, 1))
        return self.conv(x, x.shape[1], (1, stride))

    def affine(self, x):
        return x @ next(self.weights).T + next(self.weights)

    def dynamic(self, x, groups, pieces):
        """Pixel by pixel: the larger of two mixtures of a channel and its fellow in the next group."""
        channels, a = x.shape[1], self.affine(self.affine(x.mean((2, 3))).clamp(min=0))
        a = 4 * ((a + 3).clamp(0, 6) / 6 - 0.5)
        y = torch.zeros_like(x)
        for n, c in np.ndindex(len(x), channels):
            fellow, sums = (c + channels // groups) % channels, []
            for piece in range(pieces):
                own, other = (a[n, (2 * piece + j) * channels + c] for j in range(2))
                sums.append((own + (piece == 0)) * x[n, c] + other * x[n, fellow])
            y[n, c] = torch.stack(sums).amax(0)
        return y

    def active(self, x, groups, dynamic):
        return self.dynamic(x, groups, 2) if dynamic else x.clamp(0, 6)

    def block(self, x, row, stride):
        _, _, _, _, (g1, g2), (g3, g4), (y1, y2, y3), _ = row
        begin = x
        if g3 == 0:
            x = self.conv(x, g1)
            return self.dynamic(x, g2, 1) if y3 else x
        if g1 == 0:
            x = turned(self.active(self.depthwise(x, stride), g2, y2), g2)
            x = turned(x, x.shape[1] // 2) if y2 else x
        else:
            x = turned(self.active(self.conv(x, g1), g2, y1), g2)
            x = self.active(self.depthwise(x, stride), x.shape[1] // g2, y2)
            x = turned(x, x.shape[1] // (4 if y1 and y2 else 2)) if y1 or y2 else x
        x = self.conv(x, g3)
        x = turned(self.dynamic(x, g4, 1) if y3 else x, g4)
        x = turned(x, x.shape[1] // 2) if y3 else x
        return x + begin if x.shape == begin.shape else x

    def __call__(self, x, rows, few, small):
        stride = 1 if small else 2
        x = self.conv(x, 1, (stride, 1))
        x = turned(self.conv(x, few, (1, stride)), few).clamp(0, 6)
        early = True
        for k, row in enumerate(rows):
            early = early and (k == 0 or row[0] == 1)
            x = self.block(x, row, 1 if early and small else row[0])
        swish = lambda x: x * (x + 3).clamp(0, 6) / 6  # noqa: E731
        x = swish(x.clamp(0, 6).mean((2, 3)))
        return swish(self.norm(self.affine(swish(self.norm(self.affine(x))))))


def turned(x, groups):
    """The first channel of each group, then the second of each, ..."""
    each = x.shape[1] // groups
    return x[:, [g * each + k for k in range(each) for g in range(groups)]]


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("size", [(9, 7), (72, 80)])
def test_it_is_the_table_row_by_row(kind, size):
    seeded = torch.Generator().manual_seed(0)
    rows = (*NETS[kind], ENDS.get(kind, ENDS["end"]))
    net = MicroNet(3, 2, size, rows, (2, 4), 8).double().eval()
    for name, value in net.state_dict().items():  # as after training
        if value.is_floating_point() and (value.ndim == 1 or "squeeze" in name or "widen" in name):
            value.copy_(2 * torch.rand(value.shape, generator=seeded) - (-0.5 if "var" in name else 1.0))
    x = torch.randn(2, 2, *size, generator=seeded, dtype=torch.double)
    torch.testing.assert_close(net(x), Plain(net)(x, rows, 2, max(size) < 65), rtol=1e-9, atol=1e-9)


def test_dynamic_activations_squeeze_as_the_authors_do():
    with torch.device("meta"):
        acts = [m for m in create("micronet_m0").modules() if isinstance(m, DynamicShiftMax)]
    seen = [(m.channels, m.groups, m.pieces, m.squeeze.out_features) for m in acts[-7:]]
    assert seen == [  # by 8, but 4 after a convolution to fewer channels, and as much again for the last two
        (128, 8, 2, 16),
        (128, 16, 2, 16),
        (64, 8, 1, 16),
        (256, 8, 2, 16),
        (256, 32, 2, 16),
        (96, 8, 1, 12),
        (384, 12, 1, 24),
    ]


def test_another_size_is_refused():
    with pytest.raises(UsageError, match="m0, m1, m2, m3"):
        MicroNet(rows="m4")
