from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture
def people() -> pd.DataFrame:
    """Sixty rows with numbers, words, dates, yes/no and a class."""
    draw, n = np.random.default_rng(0), 60
    return pd.DataFrame(
        {
            "age": draw.integers(18, 80, n),
            "income": draw.normal(3e4, 1e4, n).round(2),
            "city": draw.choice(["Oslo", "Rome", "Ulm"], n),
            "joined": pd.date_range("2020-01-01", periods=n, freq="17D").strftime("%d.%m.%Y"),
            "member": draw.choice([True, False], n),
            "y": draw.choice(["yes", "no"], n),
        }
    )


@pytest.fixture
def picture() -> Callable[..., Path]:
    """Writes a random picture to a path."""
    draw = np.random.default_rng(0)

    def write(path: Path, size: tuple[int, int] = (10, 12), mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        return path

    return write
