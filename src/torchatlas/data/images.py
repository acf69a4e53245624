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
from .formats import refuse_file_for_folder
from .reading import Reading, listed, missing_path
from .spec import Dataset, Finding

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
TRAINING, TEST = ("train", "training", "valid", "validation", "val"), ("test", "testing")
GREY = ("1", "L", "LA", "La", "I")  # Pillow's modes without colour; I;16 too
DARK = 64  # a set of 16-bit pictures none of which is brighter than a quarter uses few of the levels
MOST_BYTES = 8 << 30


@dataclass(frozen=True)
class _Header:
    """What a file says of its image before the pixels are read."""

    path: Path
    size: tuple[int, int]  # (height, width)
    grey: bool
    deep: bool = False  # 16 bits per pixel


@dataclass(frozen=True)
class _Image:
    """The pixels of a file, and whether some of them let the white behind them through."""

    pixels: np.ndarray[Any, Any]
    clear: bool


def open_folder(folder: Path, how: Reading) -> Dataset:
    """Images by class; broken files are findings (errors, or warnings with `skip_broken`).

    With task "none" the images of all sub-folders without their classes, or a single file.
    """
    if not folder.is_dir() and not (folder.is_file() and is_image(folder) and how.task == "none"):
        raise DataError(missing_path(folder) if not folder.exists() else refuse_file_for_folder(folder))
    how.refuse_columns(str(folder), "holds images, whose class is their sub-folder", target=True)
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
    images = _all(lambda h: _pixels(h, size, grey) if isinstance(h, _Header) else h, headers)
    good = [i for i, image in enumerate(images) if isinstance(image, _Image)]
    findings += [_broken(message, how.skip_broken) for message in images if isinstance(message, str)]
    if not good:
        raise DataError(f"none of the {len(files):,} images in {folder} can be read; first: {images[0]}")
    clear = sum(images[i].clear for i in good)
    if clear:
        notes.append(f"{_images_are(clear)} transparent in parts: white is put behind")
    findings += _dark([images[i] for i in good if headers[i].deep])
    return Dataset(
        folder.name or str(folder.resolve().name),
        "image",
        np.stack([images[i].pixels for i in good]),
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
    roots = _roots(folder)
    official = len(roots) > 1
    names = sorted({sub.name for root in roots for sub in _folders(root)})
    if not names:
        some = bool(_images(folder, []))
        cure = " It holds images: move them into such sub-folders, or say task=none." * some
        raise DataError(f"{folder} has no sub-folders; it must have one per class, with its images.{cure}")
    files, labels, test = [], [], []
    for root in roots:
        for number, name in enumerate(names):
            found = _images(root / name, notes) if (root / name).is_dir() else []
            if not found and (root / name).is_dir() and root.name.lower() not in TEST:
                text = f"the class folder {root / name} holds no images ({', '.join(SUFFIXES)}); "
                findings.append(Finding("error", f"{text}put some there or remove the folder"))
            files += found
            labels += [number] * len(found)
            test += [official and root.name.lower() in TEST] * len(found)
    if not files:
        raise DataError(
            f"the sub-folders of {folder} hold no images ({', '.join(SUFFIXES)}); {listed(notes)}"
        )
    findings += _only_tested(names, labels, test)
    loose = [entry for root in roots for entry in _entries(root) if entry.is_file() and is_image(entry)]
    if loose:
        notes.append(f"left out as they are in no class folder: {listed(loose, 3)}")
    if any(test):
        notes.append(f"the test part is the folder {next(r for r in roots if r.name.lower() in TEST).name!r}")
    return files, labels, test, tuple(names), findings, notes


def _roots(folder: Path) -> list[Path]:
    """The folders that hold the class folders: this one, or its train, valid and test."""
    tops = _folders(folder)
    if not all(top.name.lower() in TRAINING + TEST for top in tops):
        return [folder]
    tests = [top for top in tops if top.name.lower() in TEST]
    within = tops and all(map(_folders, tops))
    return tops if within or (tests and len(tops) > 1) else [folder]


def _only_tested(names: list[str], labels: list[int], test: list[bool]) -> list[Finding]:
    learned = {label for label, tested in zip(labels, test, strict=True) if not tested}
    unseen = [name for number, name in enumerate(names) if number in set(labels) - learned]
    text = f"classes with test images but none to learn from: {listed(unseen)}"
    return [Finding("error", f"{text}; put some into the training folder or remove them")] if unseen else []


def _folders(folder: Path) -> list[Path]:
    return [p for p in _entries(folder) if p.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.name[0] not in "._")
    except OSError as error:
        raise DataError(f"cannot look into {folder}: {error.strerror}; check its permissions") from None


def _images(folder: Path, notes: list[str]) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(f"cannot look into {error.filename}: {error.strerror}; check its permissions")

    found: list[Path] = []
    others: list[Path] = []
    seen = {os.path.realpath(folder)}
    for root, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [
            name for name in folders if name[0] not in "._" and _is_new(os.path.join(root, name), seen)
        ]
        for name in files:
            if name[0] != "." and name != "Thumbs.db":
                (found if name.lower().endswith(SUFFIXES) else others).append(Path(root) / name)
    if others:
        first = min(others)
        count = "1 file" if len(others) == 1 else f"{len(others):,} files"
        notes.append(f"left out as no images: {count} in {folder} (first: {first.name})")
    return sorted(found)


def _is_new(folder: str, seen: set[str]) -> bool:
    """Whether a folder was not yet looked into: a link may lead back."""
    real = os.path.realpath(folder)
    new = real not in seen
    seen.add(real)
    return new


def _all(do: Any, things: Iterable[Any]) -> list[Any]:
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # here and not in the threads, which share the filters
        return list(pool.map(do, things))


def _header(path: Path) -> _Header | str:
    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(0x0112, 1) >= 5:  # the camera was held upright
                width, height = height, width
            deep = image.mode.startswith("I")
            return _Header(path, (height, width), deep or image.mode in GREY, deep)
    except Exception as error:  # Pillow's plugins raise nearly every kind on damaged bytes
        return _message(path, error)


def _pixels(header: _Header, size: tuple[int, int], grey: bool) -> _Image | str:
    try:
        with Image.open(header.path) as file:
            image = ImageOps.exif_transpose(file)
            if header.deep:
                image = _sixteen_bit(image)
            image, clear = _on_white(image)
            image = image.convert("L" if grey else "RGB")
            if image.size != size[::-1]:
                image = image.resize(size[::-1], Image.Resampling.BILINEAR)
            return _Image(np.asarray(image, dtype=np.uint8).reshape(*size, -1), clear)
    except Exception as error:
        return _message(header.path, error)


def _sixteen_bit(image: Image.Image) -> Image.Image:
    """0..65535 as 0..255, whatever the picture shows: a dark one stays dark."""
    values = np.asarray(image).astype(np.float64)
    return Image.fromarray((values / 257).round().clip(0, 255).astype(np.uint8))


def _on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """The picture as a viewer shows it on white, without the colours that transparency hides."""
    if not image.has_transparency_data:
        return image, False
    image = image.convert("RGBA")
    lowest, _ = image.getchannel("A").getextrema()
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image), lowest < 255  # type: ignore[operator]


def _dark(images: list[_Image]) -> list[Finding]:
    """A warning of 16-bit pictures that leave most of the range unused."""
    brightest = max((int(image.pixels.max(initial=0)) for image in images), default=DARK)
    if brightest >= DARK:
        return []
    text = (
        f"the 16-bit images are at most {257 * brightest:,} of 65,535 bright: {brightest + 1} levels of grey"
    )
    return [Finding("warning", f"{text} are left; if they were taken with fewer bits, spread them over 16")]


def _images_are(count: int) -> str:
    return "1 image is" if count == 1 else f"{count:,} images are"


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
