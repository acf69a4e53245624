"""Folders of images: one sub-folder per class, or train/ and test/ with one sub-folder per class each."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ..engine.errors import DataError
from .reading import Reading, listed, missing_path
from .spec import Dataset, Finding

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
TRAINING, TEST = ("train", "training", "valid", "validation", "val"), ("test", "testing")
GREY = ("1", "L", "LA", "I", "F")
MOST_BYTES = 8 << 30


@dataclass(frozen=True)
class _Header:
    """What a file says of its image before the pixels are read."""

    path: Path
    size: tuple[int, int]  # (height, width)
    grey: bool


def open_folder(folder: Path, how: Reading) -> Dataset:
    """Images by class; broken files are findings (errors, or warnings with `skip_broken`).

    With task "none" the images of all sub-folders without their classes, or a single file.
    """
    if not folder.is_dir() and not (folder.is_file() and is_image(folder) and how.task == "none"):
        raise DataError(missing_path(folder) if not folder.exists() else f"{folder} is a file, not a folder")
    files, labels, test, classes, findings, notes = _find(folder, how)
    headers = _all(_header, files)
    sizes = Counter(h.size for h in headers if isinstance(h, _Header))
    grey = all(h.grey for h in headers if isinstance(h, _Header))
    if not sizes:
        raise DataError(f"none of the {len(files):,} images in {folder} can be read; first: {headers[0]}")
    size = how.size or min(sizes, key=lambda s: (-sizes[s], s))
    _refuse_huge(len(files) * size[0] * size[1] * (1 if grey else 3), folder)
    if len(sizes) > 1 or size not in sizes:
        notes.append(_sizes_note(sizes, size))
    arrays = _all(lambda h: _pixels(h, size, grey) if isinstance(h, _Header) else h, headers)
    good = [i for i, array in enumerate(arrays) if not isinstance(array, str)]
    findings += [_broken(message, how.skip_broken) for message in arrays if isinstance(message, str)]
    if not good:
        raise DataError(f"none of the {len(files):,} images in {folder} can be read; first: {arrays[0]}")
    return Dataset(
        folder.name or str(folder.resolve().name),
        "image",
        np.stack([arrays[i] for i in good]),
        None if labels is None else np.array([labels[i] for i in good]),
        "none" if labels is None else "classification",
        classes=classes,
        test=np.flatnonzero([test[i] for i in good]),
        files=[str(files[i]) for i in good],
        notes=notes,
        findings=findings,
    )


def is_image(path: Path) -> bool:
    """Whether a path ends as images do."""
    return path.name.lower().endswith(SUFFIXES)


def _find(folder: Path, how: Reading) -> tuple[Any, ...]:
    """All image files with their labels, whether they are test images, class names, findings and notes."""
    findings: list[Finding] = []
    notes: list[str] = []
    if how.task == "none":
        files = [folder] if folder.is_file() else _images(folder, notes)
        if not files:
            raise DataError(f"{folder} holds no images ({', '.join(SUFFIXES)})")
        return files, None, [False] * len(files), (), findings, notes
    if how.task not in (None, "classification"):
        raise DataError(f"a folder of images gives classification, not {how.task}")
    tops = _folders(folder)
    parts = [top for top in tops if top.name.lower() in TRAINING + TEST]
    official = len(parts) == len(tops) and any(p.name.lower() in TEST for p in parts) and len(parts) > 1
    roots = parts if official else [folder]
    names = sorted({sub.name for root in roots for sub in _folders(root)})
    if not names:
        loose = " It holds images: move them into such sub-folders, or say task=none." * bool(
            _images(folder, [])
        )
        raise DataError(f"{folder} has no sub-folders; it must have one per class, with its images.{loose}")
    files, labels, test = [], [], []
    for root in roots:
        for number, name in enumerate(names):
            found = _images(root / name, notes) if (root / name).is_dir() else []
            if not found and root.name.lower() not in TEST:
                text = f"the class folder {root / name} holds no images; put some there or remove the folder"
                findings.append(Finding("error", text))
            files += found
            labels += [number] * len(found)
            test += [official and root.name.lower() in TEST] * len(found)
    if not files:
        raise DataError(
            f"the sub-folders of {folder} hold no images ({', '.join(SUFFIXES)}); {listed(notes)}"
        )
    if official:
        notes.append(f"the test part is the folder {next(p for p in parts if p.name.lower() in TEST).name!r}")
    return files, labels, test, tuple(names), findings, notes


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] not in "._")
    except OSError as error:
        raise DataError(f"cannot look into {folder}: {error.strerror}; check its permissions") from None


def _images(folder: Path, notes: list[str]) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(f"cannot look into {error.filename}: {error.strerror}; check its permissions")

    found: list[Path] = []
    others: list[Path] = []
    for root, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if name[0] not in "._"]
        for name in files:
            if name[0] != "." and name != "Thumbs.db":
                (found if name.lower().endswith(SUFFIXES) else others).append(Path(root) / name)
    if others:
        first = min(others)
        count = "1 file" if len(others) == 1 else f"{len(others):,} files"
        notes.append(f"left out as no images: {count} in {folder} (first: {first.name})")
    return sorted(found)


def _all(do: Any, things: Iterable[Any]) -> list[Any]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(do, things))


def _header(path: Path) -> _Header | str:
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")
            width, height = image.size
            if image.getexif().get(0x0112, 1) >= 5:  # the camera was held upright
                width, height = height, width
            grey = image.mode in GREY or image.mode.startswith("I;16")
            return _Header(path, (height, width), grey)
    except Exception as error:  # Pillow's plugins raise nearly every kind on damaged bytes
        return _message(path, error)


def _pixels(header: _Header, size: tuple[int, int], grey: bool) -> np.ndarray[Any, Any] | str:
    try:
        with warnings.catch_warnings(), Image.open(header.path) as file:
            warnings.simplefilter("ignore")
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith(("I", "F")):
                image = _sixteen_bit(image)
            if "transparency" in image.info:
                image = image.convert("RGBA")
            image = image.convert("L" if grey else "RGB")
            if image.size != size[::-1]:
                image = image.resize(size[::-1], Image.Resampling.BILINEAR)
            return np.asarray(image, dtype=np.uint8).reshape(*size, -1)
    except Exception as error:
        return _message(header.path, error)


def _sixteen_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    scale = 257 if values.max(initial=0) > 255 else 1
    return Image.fromarray((values / scale).round().clip(0, 255).astype(np.uint8))


def _message(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"cannot read the image {path}: no permission"
    if path.exists() and path.stat().st_size == 0:
        return f"cannot read the image {path}: the file is empty"
    why = "it is no image" if "cannot identify" in str(error) else str(error) or type(error).__name__
    return f"cannot read the image {path}: {why}"


def _broken(message: str, skipped: bool) -> Finding:
    if skipped:
        return Finding("warning", f"{message}; it is left out")
    return Finding("error", f"{message}; delete or replace the file, or pass skip_broken=True")


def _sizes_note(sizes: Counter[tuple[int, int]], size: tuple[int, int]) -> str:
    others = sum(count for s, count in sizes.items() if s != size)
    total = sum(sizes.values())
    return f"{others:,} of {total:,} images have another size and are resized to {size[0]}x{size[1]}"


def _refuse_huge(total: int, folder: Path) -> None:
    if total > MOST_BYTES:
        raise DataError(
            f"the images in {folder} would take {total / 2**30:.0f} GiB of memory; "
            "read them smaller with size=(height, width), such as size=(224, 224)"
        )
