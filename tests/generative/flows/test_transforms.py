"""Inverses and determinants of whole flows are laws; here is what each part does."""

import math

import pytest
import torch

from torchatlas.generative.flows import (
    Affine,
    Chain,
    FirstHalf,
    Flatten,
    Logit,
    MaskedNorm,
    Squeeze,
    Undo,
    alternating,
    channels,
    checkerboard,
)

IMAGE = (2, 4, 6)


def normed(mask):
    norm = MaskedNorm(mask).double().eval()
    norm.mean.copy_(torch.randn_like(norm.mean))
    norm.variance.copy_(torch.rand_like(norm.variance) + 0.5)
    return norm


@pytest.mark.parametrize(
    ("transform", "shape"),
    [
        (Affine(0.5, 0.25), IMAGE),
        (Logit(), IMAGE),
        (Squeeze(), IMAGE),
        (Squeeze(diagonal=True), IMAGE),
        (FirstHalf(Logit(0.1)), IMAGE),
        (Undo(Affine(0.5, 0.25)), (3,)),
        (Flatten(IMAGE), IMAGE),
        (normed(checkerboard(IMAGE)), IMAGE),
        (normed(channels(IMAGE)), IMAGE),
        (normed(alternating(5)), (5,)),
        (Chain([Logit(), Affine(0.3, 2.0), Squeeze()]), IMAGE),
    ],
)
def test_inverse_and_determinant(transform, shape):
    x = torch.rand(2, *shape, dtype=torch.double)
    z, log_det = transform(x)
    back, log_back = transform.inverse(z)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-12)
    for k in range(2):
        jacobian = torch.autograd.functional.jacobian(lambda r: transform(r[None])[0], x[k])
        exact = jacobian.reshape(x[k].numel(), -1).slogdet().logabsdet
        torch.testing.assert_close(log_det[k], exact, rtol=0, atol=1e-9)
        torch.testing.assert_close(log_back[k], -exact, rtol=0, atol=1e-9)


def test_logit_by_hand():
    got, log_det = Logit(0.05)(torch.tensor([[0.2, 1.0]], dtype=torch.double))
    s = [0.05 + 0.9 * 0.2, 0.95]
    assert got[0].tolist() == pytest.approx([math.log(p / (1 - p)) for p in s], abs=1e-12)
    assert float(log_det) == pytest.approx(sum(math.log(0.9 / (p * (1 - p))) for p in s), abs=1e-12)


def test_squeeze_puts_squares_into_channels():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert Squeeze()(x)[0][0, :, 0, 0].tolist() == [0, 1, 4, 5]
    assert Squeeze(diagonal=True)(x)[0][0, :, 0, 1].tolist() == [2, 7, 3, 6]
    two = torch.stack([x[0, 0], -x[0, 0]])[None]
    assert Squeeze(diagonal=True)(two)[0][0, :4, 0, 0].tolist() == [0, 0, 5, -5]  # the first colour, all maps


def test_a_half_is_one_colour_of_the_board():
    board = checkerboard((3, 4, 4))[None]
    first, second = Squeeze(diagonal=True)(board)[0].chunk(2, 1)
    assert (first == 1).all() and (second == 0).all()


def test_norm_takes_the_batch_into_its_averages():
    norm, x = MaskedNorm(checkerboard(IMAGE), share=0.25).double(), torch.randn(5, *IMAGE, dtype=torch.double)
    z, log_det = norm(x)
    free = checkerboard(IMAGE)[0] == 0
    for c in range(2):
        values = x[:, c, free]
        mean, variance = 0.25 * values.mean(), 0.75 + 0.25 * values.var(correction=0)
        torch.testing.assert_close(norm.mean[c].squeeze(), mean)
        torch.testing.assert_close(norm.variance[c].squeeze(), variance)
        torch.testing.assert_close(z[:, c, free], (values - mean) / (variance + 1e-5).sqrt())
    assert torch.equal(z[:, :, ~free], x[:, :, ~free])
    expected = -12 / 2 * (norm.variance + 1e-5).log().sum()
    torch.testing.assert_close(log_det, expected.expand(5))


def test_norm_leaves_channels_alone_that_the_mask_keeps():
    norm = MaskedNorm(channels((4, 2, 2)))
    norm(torch.randn(3, 4, 2, 2) + 5)
    assert (norm.mean[:2] == 5.0).logical_not().all()
    kept = channels((4, 2, 2))[:, 0, 0] == 1
    assert (norm.mean[kept] == 0).all() and (norm.variance[kept] == 1).all()
    assert (norm.mean[~kept] > 0.3).all()


def test_one_row_does_not_upset_the_norm():
    norm = MaskedNorm(alternating(4))
    for _ in range(3):
        z, log_det = norm(torch.ones(1, 4))
        assert torch.isfinite(z).all() and (log_det.abs() < 1).all()
