"""What a flow is composed of: maps that can be undone and know the logarithm of their determinant.

Each maps a batch (b, ...) of data towards noise and gives it with $\\log |\\det|$ of each sample, (b,);
`inverse` maps noise towards data and gives the logarithm for that way.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

Moved = tuple[Tensor, Tensor]  # what a transform gives: the moved batch, and log|det| per sample


class Transform(nn.Module):
    """One step from data to noise, and back."""

    def forward(self, x: Tensor) -> Moved:
        raise NotImplementedError

    def inverse(self, z: Tensor) -> Moved:
        """From noise to data."""
        raise NotImplementedError


class Chain(Transform):
    """Transforms one after another; undone from the last to the first."""

    def __init__(self, steps: Iterable[Transform]):
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor) -> Moved:
        total = x.new_zeros(len(x))
        for step in self.steps:
            x, log_det = step(x)
            total = total + log_det
        return x, total

    def inverse(self, z: Tensor) -> Moved:
        total = z.new_zeros(len(z))
        for step in reversed(self.steps):
            z, log_det = step.inverse(z)  # type: ignore[operator]
            total = total + log_det
        return z, total


class Affine(Transform):
    r"""One fixed shift and scale for all values, $z = (x - m) / s$."""

    def __init__(self, shift: float, scale: float):
        super().__init__()
        self.shift, self.scale = shift, scale

    def forward(self, x: Tensor) -> Moved:
        return (x - self.shift) / self.scale, x.new_full((len(x),), -self._log_scale(x))

    def inverse(self, z: Tensor) -> Moved:
        return z * self.scale + self.shift, z.new_full((len(z),), self._log_scale(z))

    def _log_scale(self, x: Tensor) -> float:
        return x[0].numel() * math.log(self.scale)


class Logit(Transform):
    r"""From 0..1 to the whole line, $z = \mathrm{logit}(\alpha + (1 - 2\alpha) x)$.

    $\alpha$ keeps black and white away from infinity; what comes back may lie outside of 0..1 by a little.
    """

    def __init__(self, alpha: float = 0.05):
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Moved:
        z = torch.logit(self.alpha + (1 - 2 * self.alpha) * x)
        return z, self._log_slopes(z)

    def inverse(self, z: Tensor) -> Moved:
        return (z.sigmoid() - self.alpha) / (1 - 2 * self.alpha), -self._log_slopes(z)

    def _log_slopes(self, z: Tensor) -> Tensor:  # log (1 - 2α) - log s - log (1 - s), with s = sigmoid(z)
        softplus = nn.functional.softplus
        return (math.log(1 - 2 * self.alpha) + softplus(z) + softplus(-z)).flatten(1).sum(1)


class Squeeze(Transform):
    """Each 2×2 square of pixels becomes four channels: (b, c, h, w) -> (b, 4c, h/2, w/2).

    By rows, or `diagonal`: pixels (0,0) and (1,1) first, so that each half is one colour of a checkerboard.
    """

    def __init__(self, diagonal: bool = False):
        super().__init__()
        rows = ((0, 0), (0, 1), (1, 0), (1, 1))
        self.corners = ((0, 0), (1, 1), (0, 1), (1, 0)) if diagonal else rows

    def forward(self, x: Tensor) -> Moved:
        return torch.cat([x[..., i::2, j::2] for i, j in self.corners], 1), x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> Moved:
        pixel = dict(zip(self.corners, z.chunk(4, 1)))
        rows = [torch.stack([pixel[i, 0], pixel[i, 1]], -1).flatten(-2) for i in (0, 1)]  # (b, c, h/2, w)
        return torch.stack(rows, -2).flatten(-3, -2), z.new_zeros(len(z))


class FirstHalf(Transform):
    """Moves the first half of the channels; the second is noise already ("factored out")."""

    def __init__(self, inner: Transform):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Moved:
        first, second = x.chunk(2, 1)
        moved, log_det = self.inner(first)
        return torch.cat([moved, second], 1), log_det

    def inverse(self, z: Tensor) -> Moved:
        first, second = z.chunk(2, 1)
        moved, log_det = self.inner.inverse(first)
        return torch.cat([moved, second], 1), log_det


class Undo(Transform):
    """Another transform, the other way round."""

    def __init__(self, inner: Transform):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Moved:
        return self.inner.inverse(x)

    def inverse(self, z: Tensor) -> Moved:
        return self.inner(z)


class Flatten(Transform):
    """Any shape as one row per sample."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Moved:
        return x.flatten(1), x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> Moved:
        return z.reshape(-1, *self.shape), z.new_zeros(len(z))


class MaskedNorm(Transform):
    r"""Batch normalisation where a mask is 0, per channel: $z = (x - \mu) / \sqrt{v + \epsilon}$.

    In training mean and variance are their running averages with the batch's own share already in, and only
    that share has a gradient: so a small batch does little harm. In evaluation they stand still.
    """

    batch_statistics = True
    mask: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, mask: Tensor, share: float = 0.1, eps: float = 1e-5):  # mask: one sample's shape
        super().__init__()
        self.share, self.eps = share, eps
        self.register_buffer("mask", mask, persistent=False)
        per_channel = (len(mask), *(1,) * (mask.ndim - 1))
        self.register_buffer("mean", torch.zeros(per_channel))
        self.register_buffer("variance", torch.ones(per_channel))

    def forward(self, x: Tensor) -> Moved:
        mean, variance = self._with_batch(x) if self.training else (self.mean, self.variance)
        log_scale = self._log_scale(variance)
        z = torch.where(self.mask.bool(), x, (x - mean) * (-log_scale).exp())
        return z, -log_scale.sum().expand(len(x))

    def inverse(self, z: Tensor) -> Moved:
        log_scale = self._log_scale(self.variance)
        x = torch.where(self.mask.bool(), z, z * log_scale.exp() + self.mean)
        return x, log_scale.sum().expand(len(z))

    def _log_scale(self, variance: Tensor) -> Tensor:
        return (variance + self.eps).log() / 2 * (1 - self.mask)

    def _with_batch(self, x: Tensor) -> Moved:
        moved = 1 - self.mask
        axes = [0, *range(2, x.ndim)]
        count = moved.reshape(len(moved), -1).sum(1).view_as(self.mean) * len(x)  # 0: the mask keeps it all
        of = count.clamp(min=1)
        batch_mean = (x * moved).sum(axes).view_as(self.mean) / of
        batch_variance = ((x - batch_mean).square() * moved).sum(axes).view_as(self.mean) / of
        share = self.share * (count > 0).to(x.dtype)
        mean = torch.lerp(self.mean, batch_mean, share)
        variance = torch.lerp(self.variance, batch_variance, share)
        with torch.no_grad():
            self.mean.copy_(mean)
            self.variance.copy_(variance)
        return mean, variance
