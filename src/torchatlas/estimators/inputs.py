"""Rows of numbers as a network's inputs: standardised, and folded into images where a shape is said."""

from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import interpolate

from ..engine.errors import UsageError

Array = np.ndarray[Any, Any]


class Inputs:
    """(n, d) arrays -> (n, d) tensors; with a shape, (n, channels, height, width) ones, resized to `size`.

    Mean and variance are those of the rows it is made from, by weight: per column, per channel for images.
    """

    def __init__(
        self,
        rows: Array,
        weight: Array | None = None,
        *,
        standardize: bool = True,
        shape: tuple[int, ...] | None = None,
        size: tuple[int, int] | None = None,
    ):
        columns = rows.shape[1]
        if shape is not None and (len(shape) != 3 or np.prod(shape) != columns):
            raise UsageError(
                f"input_shape={shape} must be (channels, height, width) whose product is {columns}, "
                "the number of features"
            )
        self.raw = shape or (columns,)
        self.size = size
        self.mean, self.scale = np.zeros(columns), np.ones(columns)
        if standardize:
            pixels = columns // self.raw[0]
            values = rows.reshape(len(rows), -1, pixels).swapaxes(1, 2).reshape(-1, self.raw[0])
            weights = None if weight is None else weight.repeat(pixels)
            scaler = StandardScaler().fit(values, sample_weight=weights)
            self.mean, self.scale = scaler.mean_.repeat(pixels), scaler.scale_.repeat(pixels)

    def encode(self, rows: Array, dtype: torch.dtype) -> Tensor:
        """The rows as inputs of a network; resizing is bilinear and antialiased."""
        x = torch.tensor((rows - self.mean) / self.scale, dtype=dtype).unflatten(1, self.raw)
        if self.size in (None, self.raw[1:]):
            return x
        return interpolate(x, self.size, mode="bilinear", antialias=True)
