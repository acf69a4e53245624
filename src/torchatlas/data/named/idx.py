"""MNIST and Fashion-MNIST: files in the idx format, as images (n, 28, 28, 1) and labels."""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.errors import DataError
from ..spec import Dataset
from . import files

PARTS = (("train", 60_000), ("t10k", 10_000))
MNIST = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION = {
    "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
}
CLOTHES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def mnist() -> Dataset:
    """MNIST: 60,000 + 10,000 handwritten digits of 28x28."""
    home = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    return _dataset("mnist", "MNIST", "mnist", home, MNIST, tuple(str(i) for i in range(10)))


def fashion_mnist() -> Dataset:
    """Fashion-MNIST: 60,000 + 10,000 pictures of clothes of 28x28."""
    home = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    return _dataset("fashion_mnist", "Fashion-MNIST", "fashion-mnist", home, FASHION, CLOTHES)


def parse(data: bytes, path: Path) -> np.ndarray[Any, Any]:
    """The array in an idx file of bytes: two zeros, the type 8, the rank, the sizes, the values."""
    rank = data[3] if len(data) > 3 else 0
    if data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * rank:
        raise DataError(f"{path} is no idx file of bytes; get the file again")
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    if len(data) != 4 + 4 * rank + math.prod(shape):
        held = len(data) - 4 - 4 * rank
        raise DataError(f"{path} says {shape} but holds {held:,} bytes: it is truncated; get the file again")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _dataset(
    name: str, title: str, folder: str, home: str, sums: dict[str, str], classes: tuple[str, ...]
) -> Dataset:
    paths = _paths(title, folder, home, sums)
    images, labels, counts = [], [], []
    for part, usual in PARTS:
        at = paths[f"{part}-images-idx3-ubyte"], paths[f"{part}-labels-idx1-ubyte"]
        x, y = (parse(files.unpacked(path), path) for path in at)
        if x.ndim != 3 or x.shape[1:] != (28, 28):
            raise DataError(f"{at[0]} holds shape {x.shape}; {title} images are (n, 28, 28)")
        if y.shape != (len(x),) or (len(y) and y.max() > 9):
            raise DataError(f"{at[1]} holds shape {y.shape}; expected {len(x):,} labels of 0..9")
        images.append(x)
        labels.append(y)
        counts.append((len(x), usual))
    notes = [files_note(counts)] if any(n != usual for n, usual in counts) else []
    x, y = np.concatenate(images)[..., None], np.concatenate(labels).astype(np.int64)
    test = np.arange(counts[0][0], len(x))
    return Dataset(name, "image", x, y, "classification", classes=classes, test=test, notes=notes)


def files_note(counts: list[tuple[int, int]]) -> str:
    """The sentence that says that a set is a subset."""
    (train, all_train), (test, all_test) = counts
    return (
        f"a subset: {train:,} of {all_train:,} training and {test:,} of {all_test:,} test images; "
        "scores cannot be compared with published ones"
    )


def _paths(title: str, folder: str, home: str, sums: dict[str, str]) -> dict[str, Path]:
    for place in files.folders(folder):
        found = {name: files.find(place, name) for name in sums}
        if all(found.values()):
            return {name: path for name, path in found.items() if path}
        absent = [name for name, path in found.items() if path is None]
        if len(absent) < len(sums):
            raise DataError(f"{place} lacks {' and '.join(absent)} (.gz or .xz is fine); add it from {home}")
    target = files.cache() / folder
    try:
        for name, md5 in sums.items():
            files.write_whole(target / f"{name}.gz", files.download(f"{home}{name}.gz", md5))
    except OSError as error:
        raise files.not_found(title, folder, [f"{name}.gz" for name in sums], home, error) from None
    return {name: target / f"{name}.gz" for name in sums}
