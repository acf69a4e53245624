"""Scores of restored images beside the true ones."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..cards.card import method
from ..engine.errors import UsageError
from ..nn.boxes.iou import wide
from .metric import AbstractMean

LUMA = (65.481, 128.553, 24.966)  # ITU-R BT.601, on a scale from 16 to 235 of 255


class AbstractImageScore(AbstractMean):
    """A score of each image, averaged over images.

    `luma` compares the brightness alone (the Y of ITU-R BT.601, as in most super-resolution papers), `shave`
    leaves out so many pixels at each border (the scale, there).
    """

    def __init__(self, data_range: float = 1.0, luma: bool = False, shave: int = 0):
        super().__init__()
        if not data_range > 0 or shave < 0:
            raise UsageError(f"data_range is above 0 and shave at least 0; got {data_range} and {shave}")
        self.data_range, self.luma, self.shave = data_range, luma, shave

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:  # 2 of (n, c, h, w) -> (n,)
        """The score of each image, from numbers of 0 .. 1."""
        raise NotImplementedError

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add images (batch, channels, height, width), the restored and the true ones."""
        if prediction.shape != target.shape or target.ndim != 4 or (self.luma and target.shape[1] != 3):
            raise UsageError(
                f"images are (batch, channels, height, width){', 3 channels for luma' if self.luma else ''}; "
                f"got {tuple(prediction.shape)} and {tuple(target.shape)}"
            )
        self.total += self.scores(self._prepared(prediction), self._prepared(target)).sum()
        self.seen += len(target)

    def _prepared(self, images: Tensor) -> Tensor:
        images = wide(images) / self.data_range
        if self.luma:
            images = (16 + torch.einsum("nchw,c->nhw", images, images.new_tensor(LUMA)))[:, None] / 255
        cut = slice(self.shave, -self.shave or None)
        return images[:, :, cut, cut]

    def example(self, seed: int) -> tuple[Tensor, Tensor]:
        """Two images and noisy copies."""
        numbers = torch.Generator().manual_seed(seed)
        side = 16 + 2 * self.shave
        images = torch.rand(2, 3, side, side, generator=numbers)
        return (images + 0.1 * torch.randn(images.shape, generator=numbers)).clamp(0, 1), images


@method(
    "psnr",
    year=2004,
    paper="Wang et al., Image quality assessment, IEEE Transactions on Image Processing 13",
    topics=("restoration", "vision"),
)
class PSNR(AbstractImageScore):
    r"""PSNR, the peak signal-to-noise ratio in decibels: $10 \log_{10}(L^2 / \mathrm{MSE})$ of each image.

    L is `data_range`. The mean over images of each one's ratio, as super-resolution papers have it; inf where
    an image is restored exactly. `luma` compares brightness alone, `shave` leaves out so many border pixels.
    Shapes of update: images (batch, channels, height, width), the restored and the true ones.
    """

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        return -10 * (prediction - target).square().flatten(1).mean(1).log10()


@method(
    "ssim",
    year=2004,
    paper="Wang et al., Image quality assessment, IEEE Transactions on Image Processing 13",
    topics=("restoration", "vision"),
    aliases=("psnr_ssim",),
)
class SSIM(AbstractImageScore):
    r"""SSIM, the structural similarity: means, contrasts and patterns of small windows compared.

    $(2 \mu_x \mu_y + C_1)(2 \sigma_{xy} + C_2)$ over
    $(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)$ with $C_i = (K_i L)^2$, $K_1 = 0.01$ and
    $K_2 = 0.03$, in a Gaussian window of 11 x 11 with $\sigma = 1.5$, averaged over the windows that lie
    within the image, channels and images. L is `data_range`; `luma` and `shave` as in PSNR. Equal images: 1.
    Shapes of update: images (batch, channels, height, width), the restored and the true ones.
    Errors: `UsageError` where an image is smaller than a window.
    """

    window, sigma, k1, k2 = 11, 1.5, 0.01, 0.03

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        if min(target.shape[2:]) < self.window:
            raise UsageError(f"ssim wants images of {self.window} x {self.window} pixels at least")
        x, y = prediction, target
        mean = self._blurred(torch.stack([x, y, x * x, y * y, x * y]))  # (5, n, c, h - 10, w - 10)
        mx, my = mean[0], mean[1]
        vx, vy, both = mean[2] - mx * mx, mean[3] - my * my, mean[4] - mx * my
        c1, c2 = self.k1**2, self.k2**2
        brightness = (2 * mx * my + c1) / (mx * mx + my * my + c1)
        return (brightness * (2 * both + c2) / (vx + vy + c2)).flatten(1).mean(1)

    def _blurred(self, images: Tensor) -> Tensor:
        places = torch.arange(self.window, dtype=images.dtype, device=images.device) - self.window // 2
        weights = (-places.square() / (2 * self.sigma**2)).exp()
        weights = (weights / weights.sum()).view(1, 1, -1, 1)
        flat = F.conv2d(F.conv2d(images.flatten(0, 2)[:, None], weights), weights.mT)
        return flat.view(*images.shape[:3], *flat.shape[2:])
