"""Folders of images: one sub-folder per class, or train/ and test/ with one sub-folder per class each."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..engine.errors import DataError
from .files import MOST_BYTES, Files
from .formats import refuse_file_for_folder
from .pixels import Header, Picture, read_header, read_pixels
from .reading import Reading, listed, missing_path
from .spec import Dataset, Finding

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
TRAINING, TEST = ("train", "training", "valid", "validation", "val"), ("test", "testing")
DARK = 64  # a set of 16-bit pictures none of which is brighter than a quarter uses few of the levels
FLOAT = 4  # bytes of a number that a model takes
STREAMED = 1 << 30  # bytes of all images as numbers, from which on they stay in their files


def open_folder(folder: Path, how: Reading) -> Dataset:
    """Images by class; broken files are findings (errors, or warnings with `skip_broken`).

    With task "none" the images of all sub-folders without their classes, or a single file.
    """
    if not folder.is_dir() and not (folder.is_file() and is_image(folder) and how.task == "none"):
        raise DataError(missing_path(folder) if not folder.exists() else refuse_file_for_folder(folder))
    how.refuse_columns(str(folder), "holds images, whose class is their sub-folder", target=True)
    files, labels, test, classes, findings, notes = _find(folder, how)
    headers = _all(read_header, files)
    sizes = Counter(h.size for h in headers if isinstance(h, Header))
    grey = all(h.grey for h in headers if isinstance(h, Header))
    if not sizes:
        raise DataError(f"none of the {len(files):,} images in {folder} can be read; first: {headers[0]}")
    size = how.size or min(sizes, key=lambda s: (-sizes[s], s))
    if len(sizes) > 1 or size not in sizes:
        notes.append(_sizes_note(sizes, size))
    total = len(files) * size[0] * size[1] * (1 if grey else 3)
    stream = FLOAT * total > STREAMED if how.stream is None else how.stream
    if stream:
        good, images, messages = _left_in_files(folder, headers, size, grey, how.skip_broken)
        notes.append(_streamed_note(FLOAT * total))
    else:
        _refuse_huge(total, folder)
        good, images, messages = _read(headers, size, grey, notes, findings)
    if not good:
        raise DataError(f"none of the {len(files):,} images in {folder} can be read; first: {messages[0]}")
    findings += [_broken(message, how.skip_broken) for message in messages]
    return Dataset(
        folder.name or str(folder.resolve().name),
        "image",
        cast(np.ndarray[Any, Any], images),
        None if labels is None else np.array([labels[i] for i in good]),
        "none" if labels is None else "classification",
        classes=classes,
        test=np.flatnonzero([test[i] for i in good]),
        files=[str(files[i]) for i in good],
        notes=notes,
        findings=findings,
    )


def _read(
    headers: list[Header | str], size: tuple[int, int], grey: bool, notes: list[str], findings: list[Finding]
) -> tuple[list[int], Any, list[str]]:
    """Which images can be read, their pixels, and what is wrong with the others."""
    read = _all(lambda h: read_pixels(h.path, size, grey, h.deep) if isinstance(h, Header) else h, headers)
    good = [i for i, image in enumerate(read) if isinstance(image, Picture)]
    messages = [message for message in read if isinstance(message, str)]
    if not good:
        return good, None, messages
    clear = sum(read[i].clear for i in good)
    if clear:
        notes.append(f"{_images_are(clear)} transparent in parts: white is put behind")
    findings += _dark([image for image, h in zip(read, headers, strict=True) if _is_deep(image, h)])
    return good, np.stack([read[i].pixels for i in good]), messages


def _left_in_files(
    folder: Path, headers: list[Header | str], size: tuple[int, int], grey: bool, skip_broken: bool
) -> tuple[list[int], Files, list[str]]:
    """The same of images that stay in their files; what only their pixels tell is looked for if asked."""
    good = [i for i, header in enumerate(headers) if isinstance(header, Header)]
    messages = [header for header in headers if isinstance(header, str)]
    files = Files.of(folder, [header for header in headers if isinstance(header, Header)], size, grey)
    if skip_broken:
        wrong = files.broken()
        messages += wrong.values()
        kept = [row for row in range(len(good)) if row not in wrong]
        good, files = [good[row] for row in kept], files.at(kept)
    return good, files, messages


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


def _is_deep(image: Picture | str, header: Header | str) -> bool:
    return isinstance(image, Picture) and isinstance(header, Header) and header.deep


def _dark(images: list[Picture]) -> list[Finding]:
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


def _broken(message: str, skipped: bool) -> Finding:
    if skipped:
        return Finding("warning", f"{message}; it is left out")
    return Finding("error", f"{message}; delete or replace the file, or pass skip_broken=True")


def _sizes_note(sizes: Counter[tuple[int, int]], size: tuple[int, int]) -> str:
    others = sum(count for s, count in sizes.items() if s != size)
    total = sum(sizes.values())
    return f"{others:,} of {total:,} images have another size and are resized to {size[0]}x{size[1]}"


def _streamed_note(total: int) -> str:
    return (
        f"the images stay in their files, as they would take {_memory(total)}: each is decoded when it is "
        "needed, and copies and images of one colour are not looked for"
    )


def _memory(total: int) -> str:
    return f"{total / 2**30:.1f} GiB of memory" if total >= 1 << 27 else f"{total / 2**20:.1f} MiB of memory"


def _refuse_huge(total: int, folder: Path) -> None:
    if total > MOST_BYTES:
        raise DataError(
            f"the images in {folder} would take {total / 2**30:.0f} GiB of memory; leave out stream=False, "
            "or read them smaller with size=(height, width), such as size=(224, 224)"
        )
