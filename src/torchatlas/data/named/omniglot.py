"""Omniglot: handwritten characters of many alphabets, twenty drawings of each."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.errors import DataError
from ..spec import Dataset
from . import files

ARCHIVES = {
    "images_background_small1.zip": "e704a628b5459e08445c13499850abc4",
    "images_background_small2.zip": "b75a71a51d3b13f821f212756fe481fd",
}
HOME = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
SIDE, SMALL = 105, 28


def omniglot() -> Dataset:
    """Omniglot's two small background sets: 242 characters of 8 alphabets, 20 drawings each, at 28x28.

    Ink is bright on a dark ground, as in MNIST; a character of both sets is taken once.
    """
    found: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
    for path in _paths():
        for character, drawings in _read(path).items():
            found.setdefault(character, drawings)
    names = sorted(found)
    images = np.stack([image for name in names for _, image in sorted(found[name].items())])
    labels = np.repeat(np.arange(len(names)), [len(found[name]) for name in names])
    note = f"{len(names)} characters of Omniglot's two small background sets (964 are in the whole one)"
    return Dataset(
        "omniglot", "image", images[..., None], labels, "classification", classes=tuple(names), notes=[note]
    )


def _read(path: Path) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    """Character -> drawing's file name -> picture."""
    from PIL import Image

    found: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                _, _, inner = member.partition("/")
                if not inner.endswith(".png"):
                    continue
                alphabet, character, file = inner.split("/")
                with Image.open(io.BytesIO(archive.read(member))) as picture:
                    if picture.size != (SIDE, SIDE):
                        raise DataError(f"{path}: {member} is {picture.size}, not {SIDE}x{SIDE}")
                    ink = picture.convert("L").point(lambda v: 255 - v)
                    small = ink.resize((SMALL, SMALL), Image.Resampling.BOX)
                found.setdefault(f"{alphabet}/{character}", {})[file] = np.asarray(small)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}; get the file again") from None
    if not found:
        raise DataError(f"{path} holds no pictures; get the file again")
    return found


def _paths() -> list[Path]:
    for folder in files.folders("omniglot"):
        paths = [path for name in ARCHIVES if (path := folder / name).is_file()]
        if paths:
            return paths
    try:
        folder = files.cache() / "omniglot"
        for name, md5 in ARCHIVES.items():
            files.write_whole(folder / name, files.download(HOME + name, md5))
        return [folder / name for name in ARCHIVES]
    except OSError as error:
        raise files.not_found("Omniglot", "omniglot", list(ARCHIVES), HOME, error) from None
