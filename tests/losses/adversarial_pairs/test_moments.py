from math import exp

import numpy as np
import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses.adversarial_pairs import MMDGAN, McGAN


def clouds(width=3, count=7):
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(count, width, generator=draw, dtype=torch.double) + k for k in range(2)]


@pytest.mark.parametrize("order", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("moments", ["mean", "covariance", "both"])
def test_mcgan_adds_up_the_distances_of_moments(moments, order):
    real, fake = clouds()
    x, y = real.numpy(), fake.numpy()
    gap = np.abs(x.mean(0) - y.mean(0))
    first = {1.0: gap.sum(), 2.0: (gap**2).sum() ** 0.5}.get(order, gap.max())
    spread = sum(np.outer(v, v) for v in x) / 7 - sum(np.outer(v, v) for v in y) / 7
    second = np.abs(np.linalg.eigvalsh(spread)).sum()  # the nuclear norm of a symmetric matrix
    expected = first * (moments != "covariance") + second * (moments != "mean")
    pair = McGAN(moments, order, width=3)
    assert pair.generator(fake, real).item() == pytest.approx(expected, rel=1e-10)
    assert pair.critic(real, fake).item() == pytest.approx(-expected, rel=1e-10)


def test_mcgan_s_first_term_is_the_best_of_all_directions():
    real, fake = clouds()
    distance = McGAN("mean", width=3).generator(fake, real).item()
    directions = torch.nn.functional.normalize(torch.randn(5000, 3, dtype=torch.double), dim=1)
    gaps = (real @ directions.T).mean(0) - (fake @ directions.T).mean(0)
    assert gaps.max().item() <= distance + 1e-12 and gaps.max().item() > 0.99 * distance


@pytest.mark.parametrize("bandwidths", [(1.0, 2.0, 4.0, 8.0, 16.0), (0.5,)])
def test_mmd_gan_by_enumeration(bandwidths):
    real, fake = clouds()

    def kernel(a, b):
        d = sum((u - v) ** 2 for u, v in zip(a, b, strict=True))
        return sum(exp(-d / (2 * s * s)) for s in bandwidths)

    def mean(x, y):
        return sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))

    x, y = real.tolist(), fake.tolist()
    expected = mean(x, x) + mean(y, y) - 2 * mean(x, y)
    pair = MMDGAN(bandwidths, width=3)
    assert pair.generator(fake, real).item() == pytest.approx(expected, rel=1e-10)
    assert pair.critic(real, fake).item() == pytest.approx(-expected, rel=1e-10)
    assert expected > 0


@pytest.mark.parametrize("kind", [McGAN, MMDGAN])
def test_equal_clouds_are_no_distance_apart(kind):
    real, _ = clouds()
    assert kind(width=3).generator(real, real).item() == pytest.approx(0, abs=1e-12)


def test_wrong_options_are_refused():
    for kind, wrong in (
        (McGAN, {"moments": "third"}),
        (McGAN, {"width": 0}),
        (MMDGAN, {"bandwidths": (0.0,)}),
    ):
        with pytest.raises(UsageError):
            kind(**wrong)
