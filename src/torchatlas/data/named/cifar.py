"""CIFAR-10 in its binary version: records of a label and 3,072 bytes of red, green and blue."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.errors import DataError
from ..spec import Dataset
from . import files
from .idx import files_note

HOME = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32


def cifar10() -> Dataset:
    """CIFAR-10: 50,000 + 10,000 colour photos of 32x32; a subset of the files is taken as one."""
    train, test = _paths()
    parts = [parse(files.unpacked(path), path) for path in [*train, test]]
    images = np.concatenate([x for x, _ in parts])
    labels = np.concatenate([y for _, y in parts])
    last = len(parts[-1][1])
    counts = [(len(images) - last, 50_000), (last, 10_000)]
    notes = [files_note(counts)] if any(n != usual for n, usual in counts) else []
    rows = np.arange(len(images) - last, len(images))
    return Dataset(
        "cifar10", "image", images, labels, "classification", classes=CLASSES, test=rows, notes=notes
    )


def parse(data: bytes, path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Images (n, 32, 32, 3) and labels of one file of records."""
    if not data or len(data) % RECORD:
        raise DataError(
            f"{path} has {len(data):,} bytes, no multiple of {RECORD:,}: truncated or another format"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        raise DataError(f"{path} has the label {labels.max()} in record {labels.argmax()}; CIFAR-10 has 0..9")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def _paths() -> tuple[list[Path], Path]:
    for place in files.folders("cifar10"):
        for folder in (place, place / "cifar-10-batches-bin"):
            train = [path for name in TRAIN if (path := files.find(folder, name))]
            test = files.find(folder, TEST)
            if train and test:
                return train, test
            if train or test:
                absent = TEST if train else TRAIN[0]
                raise DataError(f"{folder} lacks {absent} (.gz or .xz is fine); add it from {HOME}")
    try:
        return _fetched()
    except (OSError, tarfile.TarError, KeyError) as error:
        raise files.not_found("CIFAR-10", "cifar10", [*TRAIN, TEST], HOME, error) from None


def _fetched() -> tuple[list[Path], Path]:
    folder = files.cache() / "cifar10"
    with tarfile.open(fileobj=io.BytesIO(files.download(HOME, MD5))) as archive:
        for name in (*TRAIN, TEST):
            member = archive.extractfile(f"cifar-10-batches-bin/{name}")
            if member is None:
                raise KeyError(name)
            files.write_whole(folder / name, member.read())
    return [folder / name for name in TRAIN], folder / TEST
