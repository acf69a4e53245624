from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from torchatlas.study.training.run import Run
from torchatlas.study.training.train import train


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An mlp that knows digits a little; not to be changed."""
    folder = tmp_path_factory.mktemp("inspected") / "digits"
    return train("mlp", "digits", out=folder, steps=60, hidden=(32,), threads=1)


@pytest.fixture(scope="session")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A linear regression in which a price is 3 times the size and nothing of the age; not to be changed."""
    home: Path = tmp_path_factory.mktemp("inspected")
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"age": draw.normal(size=80).round(3), "size": draw.normal(size=80).round(3)})
    frame["price"] = 3 * frame["size"]
    frame.to_csv(home / "prices.csv", index=False)
    words = {"target": "price", "steps": 150, "lr": 0.05, "threads": 1}
    return train("linear_regression", f"csv:{home / 'prices.csv'}", out=home / "run", **words)
