import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection import receptive_field


def support(module, x):
    """How many pixels each way the middle of the output depends on, by its gradient with positive weights."""
    module = module.eval().double()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(p.abs() + 0.1)
    x = torch.rand_like(x, dtype=torch.double).requires_grad_()
    out = module(x)
    middle = [slice(None), slice(None)] + [n // 2 for n in out.shape[2:]]
    (slope,) = torch.autograd.grad(out[tuple(middle)].sum(), x)
    seen = (slope != 0).any(0).any(0)
    places = seen.nonzero()
    return tuple((places.amax(0) - places.amin(0) + 1).tolist())  # dilation leaves holes


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 5, padding=2))

    def forward(self, x):
        return torch.relu(torch.cat([self.body(x) + x, x], 1))


def conv(kernel, stride=1, dilation=1, padding=0):
    return nn.Conv2d(2, 2, kernel, stride, padding, dilation)


@pytest.mark.parametrize(
    ("module", "size", "stride"),
    [
        (nn.Sequential(conv(3, 2), conv(3, 2)), (7, 7), (4, 4)),
        (nn.Sequential(conv(3), conv(3)), (5, 5), (1, 1)),
        (conv(5), (5, 5), (1, 1)),
        (conv((3, 5), (2, 1), (2, 1)), (5, 5), (2, 1)),
        (nn.Sequential(conv(3), nn.ReLU(), conv(3, dilation=4)), (11, 11), (1, 1)),
        (nn.Sequential(conv(3), nn.AvgPool2d(2), conv(3), nn.BatchNorm2d(2)), (8, 8), (2, 2)),
        (nn.Sequential(Residual(), nn.Conv2d(4, 1, 3)), (9, 9), (1, 1)),
        (nn.Sequential(conv(1), nn.Flatten(2), nn.Unflatten(2, (32, 32))), (1, 1), (1, 1)),
    ],
)
def test_the_formula_is_the_support_of_the_gradient(module, size, stride):
    x = torch.zeros(1, 2, 32, 32)
    found = receptive_field(module, x)
    assert (found.size, found.stride, found.whole) == (size, stride, False)
    assert support(module, x) == size


def test_max_pooling_and_one_dimension():
    net = nn.Sequential(conv(3), nn.MaxPool2d(3, 2), conv(3))
    assert receptive_field(net, torch.zeros(1, 2, 32, 32)).size == (9, 9)
    wave = nn.Sequential(
        nn.Conv1d(1, 1, 2, dilation=1), nn.Conv1d(1, 1, 2, dilation=2), nn.Conv1d(1, 1, 2, dilation=4)
    )
    assert receptive_field(wave, torch.zeros(1, 1, 64)).size == (8,)


def test_sums_over_all_places_see_the_whole():
    for tail in (nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.Flatten(), nn.Linear(2 * 30 * 30, 3))):
        found = receptive_field(nn.Sequential(conv(3), tail), torch.zeros(1, 2, 32, 32))
        assert found.whole and found.size == (32, 32)
    assert receptive_field(create("lenet5"), torch.zeros(1, 1, 28, 28)).whole
    assert receptive_field(create("resnet20_cifar"), torch.zeros(1, 3, 32, 32)).whole


def test_two_branches_of_a_residual_network_count_by_the_longer():
    net = create("resnet20_cifar")
    found = receptive_field(net.body if hasattr(net, "body") else net, torch.zeros(1, 3, 64, 64))
    if not found.whole:  # 1 + 2 for the first, 6 convolutions of each stage at strides 1, 2 and 4
        assert found.size[0] == 1 + 2 + 6 * 2 + (2 + 5 * 4) + (4 + 5 * 8)


class Deaf(nn.Module):
    def forward(self, x):
        return torch.ones(1, 1, 2, 2)


def test_what_has_none_is_told():
    with pytest.raises(UsageError, match="transposed"):
        receptive_field(nn.ConvTranspose2d(2, 2, 3, 2), torch.zeros(1, 2, 8, 8))
    with pytest.raises(UsageError, match="places"):
        receptive_field(nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(UsageError, match="does not depend"):
        receptive_field(Deaf(), torch.zeros(1, 1, 2, 2))
