"""Arrays of one's own: (X, y) tuples and npz files, tables or images by their shape."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..engine.errors import DataError, UsageError
from .columns import plain, refuse_objects, told_by_storage
from .formats import looks_like, refuse_format
from .reading import Reading, did_you_mean, listed, read_bytes
from .spec import Dataset
from .tables import from_frame
from .targets import as_frame, tell_task

INPUTS = ("x", "inputs", "images", "data", "features", "samples")
TARGETS = ("y", "target", "targets", "labels", "label", "classes")


def from_arrays(parts: tuple[Any, ...], how: Reading, name: str = "arrays") -> Dataset:
    """(X, y) or (X, y, weights): X with two dimensions is a table, with three or four images.

    Images are (n, height, width), (n, height, width, channels) or (n, channels, height, width).
    """
    if len(parts) not in (1, 2, 3):
        raise DataError(f"expected (X, y) or (X, y, weights), got a tuple of {len(parts)} things")
    if how.targets:
        raise UsageError(f"target={how.target!r} names a column: give the targets as the second of (X, y)")
    inputs, target, weight = (*parts, None, None)[:3]
    target = None if how.task == "none" else target
    if not isinstance(inputs, pd.DataFrame):
        inputs = _array(inputs, name)
    for what, part in (("targets", target), ("weights", weight)):
        if part is not None and (
            np.ndim(part) == 0 if hasattr(part, "ndim") else not hasattr(part, "__len__")
        ):
            raise DataError(f"the {what} of {name} are a {type(part).__name__}; give one value per row")
        if part is not None and len(part) != len(inputs):
            raise DataError(
                f"{name} has {len(inputs):,} inputs but {len(part):,} {what}; they must be as many"
            )
    if isinstance(inputs, pd.DataFrame) or inputs.ndim <= 2:
        dataset = _table(inputs, target, how, name)
    else:
        dataset = from_images(inputs, target, how, name)
    if weight is not None:
        dataset.weight = _weights(weight)
    return dataset


def _array(values: Any, name: str) -> np.ndarray[Any, Any]:
    values = _dense(values)
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError(f"the inputs of {name} have rows of different lengths") from None
    if array.ndim == 0 or array.ndim > 4:
        raise DataError(
            f"the inputs of {name} have shape {array.shape}; a table has 2 dimensions, images 3 or 4"
        )
    return array


def _dense(values: Any) -> Any:
    """Tensors, sparse matrices and masked arrays as what NumPy reads without loss."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), np.nan) if values.mask.any() else values.data
    return values.toarray() if hasattr(values, "toarray") and not isinstance(values, pd.DataFrame) else values


def _table(inputs: Any, target: Any, how: Reading, name: str) -> Dataset:
    if not isinstance(inputs, pd.DataFrame):
        if inputs.dtype.names:  # a structured array brings its names
            inputs = pd.DataFrame(inputs)
        else:
            inputs = inputs[:, None] if inputs.ndim == 1 else inputs
            inputs = pd.DataFrame(inputs, columns=[f"x{i}" for i in range(inputs.shape[1])])
    dataset = from_frame(
        inputs, Reading(task="none", group=how.group, time=how.time, drop=how.drop, missing=how.missing), name
    )
    return _with_target(dataset, target, how)


def from_images(images: np.ndarray[Any, Any], target: Any, how: Reading, name: str) -> Dataset:
    """An image array as a dataset: channels last, bytes 0..255 or floats 0..1."""
    how.refuse_columns(name, "has images, no columns")
    notes = []
    if images.ndim == 3:
        images = images[..., None]
    elif images.shape[-1] > 4 >= images.shape[1]:
        images = np.moveaxis(images, 1, -1)
        notes.append("the images are taken as (channels, height, width)")
    if images.shape[-1] > 4 or 0 in images.shape:
        raise DataError(
            f"the images of {name} have shape {images.shape}; expected (n, height, width, 1 to 4)"
        )
    images, maximum = _brightness(images, name)
    dataset = Dataset(name, "image", images, None, "none", notes=notes, maximum=maximum)
    return _with_target(dataset, target, how)


def _brightness(images: np.ndarray[Any, Any], name: str) -> tuple[np.ndarray[Any, Any], float]:
    if images.dtype == np.uint8:
        return images, 255.0
    if images.dtype == bool:
        return images.astype(np.uint8), 1.0
    if images.dtype.kind not in "iuf":
        raise DataError(f"the images of {name} hold {images.dtype}; expected numbers")
    finite = images[np.isfinite(images)] if images.dtype.kind == "f" else images
    low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
    if low < 0 or high > 255:
        raise DataError(f"pixels of {name} lie in {low:g}..{high:g}; scale them to 0..1 or 0..255 first")
    if images.dtype.kind == "f":
        return images.astype(np.float32), 1.0 if high <= 1 else 255.0
    return images.astype(np.uint8), 255.0


def _with_target(dataset: Dataset, target: Any, how: Reading) -> Dataset:
    if target is None:
        return dataset
    frame = as_frame(_dense(target))
    refuse_objects(frame, "the target")
    said = how.task or (told_by_storage(frame.iloc[:, 0]) if frame.shape[1] == 1 else None)
    frame = pd.DataFrame({name: plain(frame[name]) for name in frame})
    dataset.task = tell_task(frame, said)
    dataset.target = frame.iloc[:, 0] if frame.shape[1] == 1 else frame
    return dataset


def _weights(weight: Any) -> np.ndarray[Any, Any]:
    try:
        weights = np.asarray(_dense(weight), dtype=np.float64)
    except (ValueError, TypeError):
        weights = np.zeros(0)
    if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() == 0:
        raise DataError("sample weights must be one finite number of at least 0 per row, not all 0")
    return weights


def open_npz(path: Path, how: Reading) -> Dataset:
    """An npz file with inputs and targets (x, y), or x_train, y_train, x_test, y_test."""
    data = read_bytes(path)
    if not data.startswith(b"PK") and looks_like(data):
        raise DataError(refuse_format(path, data, "no npz file"))
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            found = {key.lower(): file[key] for key in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise DataError(f"{path} holds Python objects, which are not read; save plain arrays") from None
        raise DataError(f"{path} is no readable npz file: {error}; write it again by np.savez") from None
    if not found:
        raise DataError(refuse_format(path, data, "an npz file without any array"))
    if "x_train" in found and "x_test" in found:
        return _official(found, how, path)
    inputs = _pick(found, INPUTS, path, "inputs")
    if how.target is not None and str(how.targets[0]).lower() not in found:
        hint = did_you_mean(how.targets[0], found)
        raise DataError(f"{path} has no array {how.targets[0]!r}{hint} (arrays: {listed(found)})")
    if len(how.targets) > 1:
        raise UsageError(f"{path} has one array of targets: say one of {listed(how.targets)}")
    wanted = tuple(t.lower() for t in how.targets) or TARGETS
    target = None if how.task == "none" else _pick(found, wanted, path, "targets")
    return from_arrays((inputs, target), _plain(how), path.name)


def _pick(found: dict[str, Any], names: tuple[str, ...], path: Path, what: str) -> np.ndarray[Any, Any]:
    for name in names:
        if name in found:
            return found[name]
    shapes = listed(f"{key} {value.shape}" for key, value in found.items()) or "nothing"
    raise DataError(f"{path} has no array of {what}: call one {' or '.join(names[:3])} (it holds {shapes})")


def _official(found: dict[str, Any], how: Reading, path: Path) -> Dataset:
    if found["x_train"].shape[1:] != found["x_test"].shape[1:]:
        raise DataError(f"{path}: x_train and x_test have different shapes")
    inputs = np.concatenate([found["x_train"], found["x_test"]])
    target = None
    if how.task != "none":
        pair = [_pick(found, (key,), path, "targets") for key in ("y_train", "y_test")]
        target = np.concatenate([np.atleast_1d(np.squeeze(each)) for each in pair])
    dataset = from_arrays((inputs, target), _plain(how), path.name)
    dataset.test = np.arange(len(found["x_train"]), len(inputs))
    return dataset


def _plain(how: Reading) -> Reading:
    return replace(how, target=None)
