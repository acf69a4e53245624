import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def drawn(seed, count=3, channels=3, sides=(14, 13), span=1.0):
    numbers = torch.Generator().manual_seed(seed)
    target = torch.rand(count, channels, *sides, generator=numbers, dtype=torch.double)
    noise = 0.1 * torch.randn(target.shape, generator=numbers, dtype=torch.double)
    return span * (target + noise), span * target


def luma(image):
    """The Y of a pixel, as a share of 255."""
    r, g, b = image
    return [
        [(16 + 65.481 * x + 128.553 * y + 24.966 * z) / 255 for x, y, z in zip(*rows, strict=True)]
        for rows in zip(r, g, b, strict=True)
    ]


def psnr(a, b):
    pairs = [
        (x, y) for p, q in zip(a, b, strict=True) for r, s in zip(p, q, strict=True) for x, y in zip(r, s)
    ]
    return 10 * math.log10(1 / (sum((x - y) ** 2 for x, y in pairs) / len(pairs)))


def cut(image, shave):
    return [[row[shave : len(row) - shave] for row in plane[shave : len(plane) - shave]] for plane in image]


@pytest.mark.parametrize("shave", [0, 2])
@pytest.mark.parametrize("brightness", [False, True])
def test_psnr_is_the_formula(brightness, shave):
    found, target = drawn(0)
    metric = create("psnr", luma=brightness, shave=shave)
    metric.update(found[:1], target[:1])
    metric.update(found[1:], target[1:])
    each = []
    for a, b in zip(found.tolist(), target.tolist(), strict=True):
        a, b = ([luma(a)], [luma(b)]) if brightness else (a, b)
        each.append(psnr(cut(a, shave), cut(b, shave)))
    assert metric.compute().item() == pytest.approx(sum(each) / 3)


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_the_range_of_numbers_does_not_matter(name):
    scores = []
    for span in (1.0, 255.0):
        metric = create(name, data_range=span, luma=True, shave=1)
        metric.update(*drawn(1, span=span))
        scores.append(metric.compute().item())
    assert scores[0] == pytest.approx(scores[1])


def test_known_values():
    metric = create("psnr", data_range=255)
    metric.update(
        torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.full((1, 1, 4, 4), 255, dtype=torch.uint8)
    )
    assert metric.compute() == 0
    metric = create("psnr")
    metric.update(torch.full((1, 1, 4, 4), 0.1), torch.zeros(1, 1, 4, 4))
    assert metric.compute().item() == pytest.approx(20, abs=1e-5)
    metric.update(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    assert metric.compute().isinf()
    same = create("ssim")
    same.update(*[drawn(2)[0]] * 2)
    assert same.compute().item() == pytest.approx(1)
    flat = create("ssim")  # two constants: brightness alone differs
    flat.update(torch.full((1, 1, 11, 11), 0.25), torch.full((1, 1, 11, 11), 0.75))
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert flat.compute().item() == pytest.approx(expected)


def ssim(x, y):
    """The mean over all windows of 11 x 11 within the image, one window at a time."""
    weights = [
        [math.exp(-((i - 5) ** 2 + (j - 5) ** 2) / (2 * 1.5**2)) for j in range(11)] for i in range(11)
    ]
    total = sum(map(sum, weights))
    values = []
    for top in range(len(x) - 10):
        for left in range(len(x[0]) - 10):
            cells = [
                (weights[i][j] / total, x[top + i][left + j], y[top + i][left + j])
                for i in range(11)
                for j in range(11)
            ]
            mx, my = sum(w * a for w, a, _ in cells), sum(w * b for w, _, b in cells)
            vx, vy = sum(w * (a - mx) ** 2 for w, a, _ in cells), sum(w * (b - my) ** 2 for w, _, b in cells)
            both = sum(w * (a - mx) * (b - my) for w, a, b in cells)
            above = (2 * mx * my + 0.01**2) * (2 * both + 0.03**2)
            values.append(above / ((mx**2 + my**2 + 0.01**2) * (vx + vy + 0.03**2)))
    return sum(values) / len(values)


def test_ssim_is_the_formula():
    found, target = drawn(3, 2, 2)
    each = [
        sum(ssim(a, b) for a, b in zip(p, q, strict=True)) / 2
        for p, q in zip(found.tolist(), target.tolist(), strict=True)
    ]
    metric = create("ssim")
    metric.update(found, target)
    assert metric.compute().item() == pytest.approx(sum(each) / 2, abs=1e-10)


def test_ssim_of_brightness_and_shaven():
    found, target = drawn(4, 1, sides=(17, 15))
    metric = create("ssim", luma=True, shave=2)
    metric.update(found, target)
    planes = [cut([luma(x[0].tolist())], 2)[0] for x in (found, target)]
    assert metric.compute().item() == pytest.approx(ssim(*planes), abs=1e-10)


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_what_does_not_fit_is_refused(name):
    for words in ({"data_range": 0.0}, {"shave": -1}):
        with pytest.raises(UsageError, match="data_range"):
            create(name, **words)
    with pytest.raises(UsageError, match="3 channels for luma"):
        create(name, luma=True).update(torch.zeros(1, 1, 12, 12), torch.zeros(1, 1, 12, 12))
    with pytest.raises(UsageError, match="images are"):
        create(name).update(torch.zeros(1, 3, 12, 12), torch.zeros(1, 3, 12, 11))


def test_ssim_wants_images_as_large_as_its_window():
    with pytest.raises(UsageError, match="11 x 11"):
        create("ssim").update(torch.zeros(1, 1, 10, 12), torch.zeros(1, 1, 10, 12))
