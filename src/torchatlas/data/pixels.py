"""One image file: what its header says, and its pixels as a viewer would show them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

GREY = ("1", "L", "LA", "La", "I")  # Pillow's modes without colour; I;16 too


@dataclass(frozen=True)
class Header:
    """What a file says of its image before the pixels are read."""

    path: Path
    size: tuple[int, int]  # (height, width)
    grey: bool
    deep: bool = False  # 16 bits per pixel


@dataclass(frozen=True)
class Picture:
    """The pixels of a file, and whether some of them let the white behind them through."""

    pixels: np.ndarray[Any, Any]
    clear: bool


def read_header(path: Path) -> Header | str:
    """The header of an image file, or what is wrong with it."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(0x0112, 1) >= 5:  # the camera was held upright
                width, height = height, width
            deep = image.mode.startswith("I")
            return Header(path, (height, width), deep or image.mode in GREY, deep)
    except Exception as error:  # Pillow's plugins raise nearly every kind on damaged bytes
        return _message(path, error)


def read_pixels(path: str | Path, size: tuple[int, int], grey: bool, deep: bool) -> Picture | str:
    """The pixels of an image file, (height, width, 1 or 3) of bytes, or what is wrong with it."""
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if deep:
                image = _sixteen_bit(image)
            image, clear = _on_white(image)
            image = image.convert("L" if grey else "RGB")
            if image.size != size[::-1]:
                image = image.resize(size[::-1], Image.Resampling.BILINEAR)
            return Picture(np.asarray(image, dtype=np.uint8).reshape(*size, -1), clear)
    except Exception as error:
        return _message(path, error)


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


def _message(path: str | Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"cannot read the image {path}: no permission"
    if os.path.exists(path) and os.path.getsize(path) == 0:
        return f"cannot read the image {path}: the file is empty"
    why = "it is no image" if "cannot identify" in str(error) else str(error) or type(error).__name__
    return f"cannot read the image {path}: {why}"
