"""Small pictures in a row each, with words beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ...engine.checkpoint import unwritable
from ...engine.errors import AtlasError, UsageError

Array = np.ndarray[Any, Any]
SIDE, GAP, LINE, LETTER = 112, 8, 13, 7  # pixels: a picture, between them, a line of words, a letter
HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], dtype=float)


def coloured(values: Array) -> Array:
    """Numbers 0..1 (height, width) -> (height, width, 3) bytes, from black over red to yellow."""
    place = np.clip(values, 0, 1) * (len(HEAT) - 1)
    channels = [np.interp(place, np.arange(len(HEAT)), HEAT[:, k]) for k in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)


def write_sheet(path: Path, heads: Sequence[str], rows: Sequence[tuple[Sequence[Array], str]]) -> Path:
    """A PNG: under each head one picture a row, beside each row its words (lines).

    Pictures are (height, width, 1 or 3) bytes. Raises UsageError for another suffix, AtlasError where the
    file cannot be written.
    """
    if path.suffix != ".png":
        raise UsageError(f"the picture is a PNG: end --out with .png, not {path.suffix or 'nothing'!r}")
    scale = SIDE / max(rows[0][0][0].shape[:2])
    height, width = (max(1, round(scale * side)) for side in rows[0][0][0].shape[:2])
    widest = max(len(line) for _, words in rows for line in words.splitlines())
    wide = GAP + len(heads) * (width + GAP) + LETTER * widest + GAP
    sheet = Image.new("RGB", (wide, LINE + GAP + len(rows) * (height + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for k, head in enumerate(heads):
        draw.text((GAP + k * (width + GAP), 4), head, fill="black")
    for n, (pictures, words) in enumerate(rows):
        top = LINE + GAP + n * (height + GAP)
        for k, pixels in enumerate(pictures):
            image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
            image = image.convert("RGB").resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(image, (GAP + k * (width + GAP), top))
        for i, line in enumerate(words.splitlines()):
            draw.text((GAP + len(pictures) * (width + GAP), top + i * LINE), line, fill="black")
    try:
        sheet.save(path)
    except OSError as error:
        raise AtlasError(unwritable(path, error)) from error
    return path
