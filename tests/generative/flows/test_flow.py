import math

import numpy as np
import pytest
import torch
from scipy import stats

from torchatlas.generative.flows import Affine, Chain, Flatten, Flow, StandardNormal

PIXELS = (1, 1, 2)


def normal_table(mean=0.3, deviation=0.2) -> Flow:
    """A flow that is N(mean, deviation²) in each of three columns."""
    return Flow(Chain([Affine(mean, deviation)]), StandardNormal(3), (3,))


def normal_pixels(shades=3) -> Flow:
    """Two independent pixels of a few shades, normal before they are rounded down."""
    return Flow(Chain([Affine(0.5, 0.3), Flatten(PIXELS)]), StandardNormal(2), PIXELS, shades=shades)


def images(shades):
    """Every image of two pixels."""
    values = torch.arange(shades, dtype=torch.double) / (shades - 1)
    return torch.cartesian_prod(values, values).view(-1, *PIXELS)


def test_a_row_s_log_density_is_the_normal_one():
    x = torch.randn(5, 3, dtype=torch.double)
    expected = stats.norm(0.3, 0.2).logpdf(x.numpy()).sum(1)
    np.testing.assert_allclose(normal_table().log_prob(x), expected, atol=1e-12)
    scores = normal_table().scores((x,))
    np.testing.assert_allclose(scores["loss"], -expected, atol=1e-12)
    assert list(scores) == ["loss"], "rows have no bits per dimension"
    assert float(normal_table().loss("all", (x,))) == pytest.approx(-expected.mean())


def test_an_image_s_probability_is_the_mass_of_its_shades():
    flow, x = normal_pixels(), images(3)
    edges = stats.norm(0.5, 0.3).cdf(np.arange(4) / 3)
    exact = np.outer(np.diff(edges), np.diff(edges)).ravel()
    drawn = flow.log_prob(x.repeat(20_000, 1, 1, 1)).exp().view(-1, 9)
    error = drawn.std(0) / math.sqrt(len(drawn))
    assert (np.abs(drawn.mean(0).numpy() - exact) < 4 * error.numpy()).all()


def test_bits_per_dimension_are_those_of_the_shades():
    flow, x = normal_pixels().double(), images(3)[4:5]
    torch.manual_seed(0)
    scores = flow.scores((x,))
    torch.manual_seed(0)
    u = (x.numpy() * 2 + torch.rand_like(x).numpy()) / 3
    nats = -(stats.norm(0.5, 0.3).logpdf(u).sum() - 2 * math.log(3))
    assert float(scores["loss"]) == pytest.approx(nats, abs=1e-9)
    assert float(scores["bits_per_dimension"]) == pytest.approx(nats / (2 * math.log(2)), abs=1e-9)


@pytest.mark.parametrize("shades", [2, 17, 256])
def test_images_come_back_from_their_noise_and_samples_are_shades(shades):
    flow, x = normal_pixels(shades).double(), images(shades)
    torch.testing.assert_close(flow.inverse(flow.transform(x)), x, rtol=0, atol=1e-12)
    flow.register_parameter("like", torch.nn.Parameter(torch.zeros(1, dtype=torch.double)))
    new = flow.sample(200) * (shades - 1)
    assert new.shape == (200, *PIXELS)
    torch.testing.assert_close(new, new.round(), rtol=0, atol=1e-9)
    assert new.min() >= 0 and new.max() <= shades - 1
