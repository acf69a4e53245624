from math import sqrt
from statistics import fmean

import pytest
import torch
import torch.nn.functional as F

from torchatlas import create


def maps(*shape: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    x = torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    return x * scale + shift


CONTENT, STYLE = maps(2, 3, 4, 5, seed=0, scale=3, shift=1), maps(2, 3, 6, 2, seed=1, scale=0.5, shift=-2)


def moments(x: torch.Tensor) -> tuple[float, float]:
    values = x.flatten().tolist()
    mean = fmean(values)
    return mean, fmean((v - mean) ** 2 for v in values)


@pytest.mark.parametrize("name", ["adain"])
def test_the_content_takes_on_the_styles_moments(name):
    y = create(name, eps=0.01)(CONTENT, STYLE)
    for n in range(2):
        for c in range(3):
            (mean, square), (new, new_square) = moments(CONTENT[n, c]), moments(STYLE[n, c])
            ratio = sqrt((new_square + 0.01) / (square + 0.01))
            expected = [ratio * (v - mean) + new for v in CONTENT[n, c].flatten().tolist()]
            assert y[n, c].flatten().tolist() == pytest.approx(expected, abs=1e-12)
    exact = create(name, eps=0.0)(CONTENT, STYLE)
    assert moments(exact[1, 2]) == pytest.approx(moments(STYLE[1, 2]))


@pytest.mark.parametrize("name", ["adain"])
def test_a_content_in_its_own_style_stays(name):
    assert torch.allclose(create(name)(CONTENT, CONTENT), CONTENT)
    flat = torch.full((1, 2, 3, 3), 4.0, requires_grad=True)
    y = create(name)(flat, torch.zeros(1, 2, 2, 2))
    y.sum().backward()
    assert not y.any() and flat.grad.isfinite().all()


def convolved(x: list, weight: list, bias: list) -> list:
    """A 3 x 3 convolution with a border of zeros, by hand."""
    height, width = len(x[0]), len(x[0][0])

    def at(c: int, i: int, j: int) -> float:
        return x[c][i][j] if 0 <= i < height and 0 <= j < width else 0.0

    def out(o: int, i: int, j: int) -> float:
        taps = ((c, u, v) for c in range(len(x)) for u in range(3) for v in range(3))
        return bias[o] + sum(weight[o][c][u][v] * at(c, i + u - 1, j + v - 1) for c, u, v in taps)

    return [[[out(o, i, j) for j in range(width)] for i in range(height)] for o in range(len(weight))]


@pytest.mark.parametrize("name", ["spade"])
def test_scale_and_shift_are_drawn_from_the_mask(name):
    layer = create(name, num_features=3, mask_channels=2, hidden=4).double().eval()
    layer.norm.running_mean.copy_(torch.tensor([1.0, -1.0, 0.5]))
    layer.norm.running_var.copy_(torch.tensor([4.0, 0.25, 2.0]))
    mask = maps(1, 2, 2, 5, seed=3)
    y = layer(CONTENT[:1], mask)[0]
    wide = [[mask[0, c, i // 2].tolist() for i in range(4)] for c in range(2)]  # each row twice
    parts = {k: v.tolist() for k, v in layer.named_parameters()}
    hidden = convolved(wide, parts["shared.weight"], parts["shared.bias"])
    hidden = [[[max(v, 0.0) for v in row] for row in plane] for plane in hidden]
    gamma = convolved(hidden, parts["gamma.weight"], parts["gamma.bias"])
    beta = convolved(hidden, parts["beta.weight"], parts["beta.bias"])
    for c, (mean, variance) in enumerate(((1.0, 4.0), (-1.0, 0.25), (0.5, 2.0))):
        for i in range(4):
            for j in range(5):
                plain = (CONTENT[0, c, i, j].item() - mean) / sqrt(variance + 1e-5)
                assert y[c, i, j].item() == pytest.approx(plain * (1 + gamma[c][i][j]) + beta[c][i][j])


@pytest.mark.parametrize("name", ["spade"])
def test_silent_convolutions_leave_batch_normalisation(name):
    layer = create(name, num_features=3, mask_channels=2, hidden=4).double()
    for conv in (layer.gamma, layer.beta):
        for p in conv.parameters():
            torch.nn.init.zeros_(p)
    got = layer(CONTENT, maps(2, 2, 8, 10, seed=5))
    assert torch.allclose(got, F.batch_norm(CONTENT, None, None, training=True))
    assert not list(layer.norm.parameters())
    assert create(name, num_features=3, mask_channels=2).shared.out_channels == 128
