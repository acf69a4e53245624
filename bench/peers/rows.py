"""The rows that are trained on: real sets where they lie on disk, else made ones with as much to learn."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.peers.nets import Array, Data, Task
from torchatlas.data import open_dataset

TEST = 2048  # rows of images that accuracy is measured on
TEST_WINDOWS = 256  # of text
CHARACTERS = 65  # of made text


def data_of(task: Task, cache: Path) -> Data:
    """The task's data with as many rows as its longer training sees; kept in `cache` as arrays."""
    rows = task.batch * task.steps * task.longer
    path = cache / f"{task.name}-{rows}-{'real' if _on_disk(task.data) else 'made'}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        made = _text(task) if task.text else _images(task)
        with open(path.with_suffix(".new"), "wb") as file:
            np.savez(file, **made)
        path.with_suffix(".new").rename(path)
    with np.load(path) as kept:
        arrays = {name: torch.from_numpy(kept[name]) for name in ("x", "y", "test_x", "test_y")}
        return Data(**arrays, classes=int(kept["classes"]), source=str(kept["source"]))


def _on_disk(name: str) -> bool:
    """Whether a set lies where TORCHATLAS_DATA says; nothing is downloaded for a measurement."""
    return (Path(os.environ.get("TORCHATLAS_DATA", "/nowhere")) / name).is_dir()


def _images(task: Task) -> dict[str, Any]:
    """Pictures as standardised floats (n, channels, height, width), or flat for a perceptron."""
    rows = task.batch * task.steps * task.longer
    shape = (28, 28, 1) if task.data == "mnist" else (32, 32, 3)
    if _on_disk(task.data):
        dataset, source = open_dataset(task.data), task.data
        pixels, labels = np.asarray(dataset.inputs), np.asarray(dataset.target)
        held = np.asarray(dataset.test)[:TEST]
    else:
        source = f"made pictures in place of {task.data}"
        pixels, labels = _pictures(rows + TEST, shape)
        held = np.arange(rows, rows + TEST)
    if rows > held.min():
        raise ValueError(f"{task.name} wants {rows:,} rows, and {task.data} has {held.min():,}")
    x = pixels[:rows].astype(np.float32)
    mean, spread = x.mean((0, 1, 2)), x.std((0, 1, 2))

    def encoded(raw: Array) -> Array:
        scaled = np.ascontiguousarray(((raw - mean) / spread).transpose(0, 3, 1, 2), np.float32)
        return scaled.reshape(len(raw), -1) if task.method == "mlp" else scaled

    test = {"test_x": encoded(pixels[held].astype(np.float32)), "test_y": labels[held].astype(np.int64)}
    return {"x": encoded(x), "y": labels[:rows].astype(np.int64), **test, "classes": 10, "source": source}


def _pictures(rows: int, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    """A coarse pattern for each of ten classes, under noise."""
    draw = np.random.default_rng(0)
    coarse = draw.uniform(0, 255, (10, 4, 4, shape[2])).repeat(shape[0] // 4, 1).repeat(shape[1] // 4, 2)
    labels = draw.integers(0, 10, rows)
    pixels = np.empty((rows, *shape), np.uint8)
    for start in range(0, rows, 4096):  # by blocks: as floats all of them would fill the memory
        some = labels[start : start + 4096]
        noisy = coarse[some] + draw.normal(0, 400, (len(some), *shape))
        pixels[start : start + 4096] = noisy.clip(0, 255)
    return pixels, labels


def _text(task: Task) -> dict[str, Any]:
    """Windows of character numbers, and the same windows one character later; the test part is the end."""
    count, context = task.batch * task.steps * task.longer, task.options["context"]
    if _on_disk(task.data):
        codes, source = np.asarray(open_dataset(task.data).inputs), task.data
        vocabulary, ids = np.unique(codes, return_inverse=True)
        classes = len(vocabulary)
    else:
        source, classes = f"a made chain of characters in place of {task.data}", CHARACTERS
        ids = _chain((count + TEST_WINDOWS) * context + 1)
    windows = (len(ids) - 1) // context
    if count + TEST_WINDOWS > windows:
        raise ValueError(
            f"{task.name} wants {count + TEST_WINDOWS:,} windows, and {task.data} has {windows:,}"
        )
    x, y = (ids[k : k + windows * context].reshape(windows, context).astype(np.int64) for k in (0, 1))
    order = np.random.default_rng(0).permutation(windows - TEST_WINDOWS)[:count]  # from all of the text
    test = {"test_x": x[-TEST_WINDOWS:], "test_y": y[-TEST_WINDOWS:]}
    return {"x": x[order], "y": y[order], **test, "classes": classes, "source": source}


def _chain(length: int) -> Array:
    """Characters of which each mostly follows from the one before it."""
    draw = np.random.default_rng(0)
    follows = draw.integers(0, CHARACTERS, (CHARACTERS, 8))
    choice = np.minimum(draw.geometric(0.5, length) - 1, 7)
    ids = np.zeros(length, np.int64)
    for k in range(1, length):
        ids[k] = follows[ids[k - 1], choice[k]]
    return ids
