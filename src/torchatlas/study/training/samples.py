"""New data of a generative model as a file: a grid of images, a table, or arrays."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...engine.checkpoint import unwritable
from ...engine.errors import AtlasError, UsageError


def write_samples(samples: Any, path: Path) -> Path:
    """Write samples by the path's suffix: .png for images, .csv for tables, .npz for either.

    Raises UsageError for a suffix that does not fit, AtlasError where the file cannot be written.
    """
    table = isinstance(samples, pd.DataFrame)
    try:
        if path.suffix == ".npz":
            np.savez(path, samples=samples.to_numpy() if table else samples)
        elif table and path.suffix == ".csv":
            samples.to_csv(path, index=False)
        elif not table and path.suffix == ".png":
            grid_image(samples).save(path)
        else:
            fits = ".csv or .npz" if table else ".png or .npz"
            raise UsageError(
                f"these samples cannot be written as {path.suffix or 'that'}; say --out with {fits}"
            )
    except OSError as error:
        raise AtlasError(unwritable(path, error)) from error
    return path


def grid_image(images: np.ndarray[Any, Any], gap: int = 1, smallest: int = 32) -> Any:
    """Images (n, height, width, channels) of 0..255 as one picture, near to a square."""
    from PIL import Image

    n, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 128, np.uint8)
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + gap) + gap, (k % columns) * (width + gap) + gap
        sheet[top : top + height, left : left + width] = image
    picture = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
    times = max(1, smallest // min(height, width))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
