"""Images as tensors: resized, brightness scaled by the training part, and back to pictures."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...engine.errors import DataError
from ..files import Files, encoded, taken
from ..spec import BYTE, Dataset

CHUNK = 2048


@dataclass(frozen=True)
class ImageEncoder:
    """(n, height, width, channels) of bytes or floats -> (n, channels, *size) floats.

    "standard" has mean 0 and variance 1 per channel over the training part, "unit" lies in 0..1, "symmetric"
    in -1..1. Resizing is bilinear and antialiased.
    """

    size: tuple[int, int]
    raw: tuple[int, int]
    channels: int
    maximum: float
    scaling: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(
        cls, dataset: Dataset, rows: np.ndarray[Any, Any], size: tuple[int, int] | None, scaling: str
    ) -> Self:
        """Learn the scaling from the training rows."""
        images = dataset.inputs if isinstance(dataset.inputs, Files) else np.asarray(dataset.inputs)
        raw, channels = (images.shape[1], images.shape[2]), images.shape[3]
        mean, scale = {"unit": (0.0, 1.0), "symmetric": (0.5, 0.5)}.get(scaling, (0.0, 1.0))
        plain = cls(
            size or raw, raw, channels, dataset.maximum, scaling, (mean,) * channels, (scale,) * channels
        )
        if scaling != "standard":
            return plain
        means, scales = _moments(plain.encode(taken(images, rows)))
        return cls(plain.size, raw, channels, dataset.maximum, scaling, means, scales)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one encoded image."""
        return (self.channels, *self.size)

    @property
    def shades(self) -> int:
        """How many values a pixel can have: whole numbers up to the maximum; floats count as bytes."""
        whole = self.maximum > 1 and float(self.maximum).is_integer()
        return int(self.maximum) + 1 if whole else BYTE

    def encode(self, inputs: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """Raw images -> model inputs; grey ones are repeated where the model wants colours.

        Those of files stay there until rows are taken.
        """
        if isinstance(inputs, Files):
            return encoded(inputs, self, dtype)
        images = self._checked(inputs)
        maximum = 255.0 if images.dtype == np.uint8 and self.maximum < 16 else self.maximum
        out = torch.empty((len(images), *self.shape), dtype=dtype)
        mean = torch.tensor(self.mean, dtype=dtype).view(-1, 1, 1)
        scale = torch.tensor(self.scale, dtype=dtype).view(-1, 1, 1)
        for start in range(0, len(images), CHUNK):
            part = torch.from_numpy(np.array(images[start : start + CHUNK]))
            x = part.permute(0, 3, 1, 2).to(dtype) / maximum  # (b, c, h, w)
            if x.shape[2:] != self.size:
                x = interpolate(x, self.size, mode="bilinear", antialias=True).clamp_(0, 1)
            out[start : start + CHUNK] = (x - mean) / scale
        return out

    def restore(self, x: Tensor) -> np.ndarray[Any, Any]:
        """Model inputs or samples -> pictures (n, height, width, channels) of bytes."""
        x = x.detach().cpu().float()
        unit = x * torch.tensor(self.scale).view(-1, 1, 1) + torch.tensor(self.mean).view(-1, 1, 1)
        return np.asarray((unit.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Back from `to_json`."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}
        return cls(**fields)

    def _checked(self, inputs: Any) -> np.ndarray[Any, Any]:
        images = np.asarray(inputs)
        if images.ndim == 3:
            images = images[..., None]
        if images.ndim != 4:
            raise DataError(f"images must be (n, height, width, channels), not {images.shape}")
        if images.shape[3] == 1 and self.channels > 1:
            images = images.repeat(self.channels, axis=3)
        if images.shape[3] != self.channels:
            raise DataError(
                f"the model was trained on images of {self.channels} channel(s); "
                f"these have {images.shape[3]}: convert them first"
            )
        if images.dtype.kind == "f" and not np.isfinite(images).all():
            bad = ~np.isfinite(images).reshape(len(images), -1).all(axis=1)
            raise DataError(f"image {int(bad.argmax())} has pixels that are no finite number")
        return images if images.dtype in (np.uint8, np.float32) else images.astype(np.float32)


def _moments(x: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel; one where all pixels are equal."""
    scale, mean = torch.std_mean(x, dim=(0, 2, 3), correction=0)
    return tuple(mean.tolist()), tuple(s if s > 1e-6 else 1.0 for s in scale.tolist())
