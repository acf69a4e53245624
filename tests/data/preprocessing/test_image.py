import numpy as np
import pytest
import torch

from torchatlas.data import open_dataset
from torchatlas.data.preprocessing import ImageEncoder
from torchatlas.engine.errors import DataError

draw = np.random.default_rng(0)
IMAGES = draw.integers(0, 256, (12, 6, 8, 3), dtype=np.uint8)


def fitted(images=IMAGES, rows=range(8), size=None, scaling="standard"):
    return ImageEncoder.fit(open_dataset(images), np.array(rows), size, scaling)


def test_channels_are_standardised_by_the_training_images():
    encoder = fitted()
    train = IMAGES[:8] / 255
    expected = (IMAGES / 255 - train.mean(axis=(0, 1, 2))) / train.std(axis=(0, 1, 2))
    np.testing.assert_allclose(encoder.encode(IMAGES), expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_unit_and_symmetric_need_no_fitting():
    extremes = np.array([0, 255], np.uint8).reshape(1, 1, 2, 1)
    assert fitted(extremes, [0], scaling="unit").encode(extremes).flatten().tolist() == [0, 1]
    assert fitted(extremes, [0], scaling="symmetric").encode(extremes).flatten().tolist() == [-1, 1]


def test_digits_are_scaled_by_sixteen_exactly():
    digits = open_dataset("digits")
    x = ImageEncoder.fit(digits, np.arange(100), None, "unit").encode(digits.inputs[:50])
    assert torch.equal(x * 16, torch.from_numpy(digits.inputs[:50].transpose(0, 3, 1, 2)).float())


def test_resizing_keeps_flat_pictures_and_averages():
    flat = np.full((1, 8, 8, 1), 100, np.uint8)
    x = fitted(flat, [0], (28, 20), "unit").encode(flat)
    assert x.shape == (1, 1, 28, 20)
    assert torch.allclose(x, torch.tensor(100 / 255))
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))[None, ..., None]
    small = fitted(ramp, [0], (8, 8), "unit").encode(ramp)[0, 0, 4]
    middles = ramp[0, 0, :, 0].reshape(8, 8).mean(axis=1) / 255
    np.testing.assert_allclose(small[1:-1], middles[1:-1], atol=0.01)
    noise = draw.integers(0, 256, (1, 64, 64, 1), dtype=np.uint8)
    assert fitted(noise, [0], (8, 8), "unit").encode(noise).std() < 0.08  # bare interpolation: 0.14


def test_pictures_are_restored():
    for scaling in ("standard", "unit", "symmetric"):
        encoder = fitted(scaling=scaling)
        assert (encoder.restore(encoder.encode(IMAGES)) == IMAGES).all()
    assert fitted().restore(torch.full((1, 3, 6, 8), 1e3)).max() == 255


def test_flat_training_images_do_not_divide_by_zero():
    flat = np.full((2, 3, 3, 1), 7, np.uint8)
    assert torch.isfinite(fitted(flat, [0, 1]).encode(flat)).all()


def test_other_channels():
    colour = fitted()
    grey = IMAGES[..., :1]
    assert torch.equal(colour.encode(grey), colour.encode(grey.repeat(3, axis=3)))
    assert torch.equal(colour.encode(grey[..., 0]), colour.encode(grey))
    with pytest.raises(DataError, match=r"1 channel.*these have 3"):
        fitted(grey).encode(IMAGES)
    with pytest.raises(DataError, match="must be"):
        colour.encode(IMAGES[0, 0])
    with pytest.raises(DataError, match="image 1 has pixels"):
        colour.encode(np.where(np.arange(2).reshape(2, 1, 1, 1) == 1, np.nan, np.zeros((2, 6, 8, 3))))


def test_it_survives_json():
    encoder = fitted(size=(9, 9))
    assert ImageEncoder.from_json(encoder.to_json()) == encoder
