"""HTML from nested calls: every text is escaped unless it is already `Html`."""

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
from PIL import Image as Pillow

from .model import Image

VOID = {"img", "br", "meta", "col"}
LARGEST = 128  # pixels of an inline image's longer side
SMALL = 48  # up to here single pixels are shown as they are

Child = Any  # str, Html, None or an iterable of these


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: Child, **attributes: Any) -> Html:
    """An element: `tag("td", "a < b", class_="num")`; attributes that are None or False are left out."""
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<{name}{given}>" if name in VOID else f"<{name}{given}>{join(children)}</{name}>")


def join(children: Child) -> Html:
    """Children one after the other, texts escaped."""
    if children is None:
        return Html()
    if isinstance(children, Html):
        return children
    if isinstance(children, str):
        return Html(escape(children))
    if isinstance(children, Iterable):
        return Html("".join(join(child) for child in children))
    return Html(escape(str(children)))


def address(image: Image) -> str:
    """An image as a data address: PNG, or JPEG where it is large; the largest are made smaller."""
    squeezed = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    picture = Pillow.fromarray(np.ascontiguousarray(squeezed, dtype=np.uint8))
    picture.thumbnail((LARGEST, LARGEST))
    kind = "PNG" if max(picture.size) <= SMALL else "JPEG"
    buffer = io.BytesIO()
    picture.save(buffer, kind, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture(image: Image, alt: str) -> Html:
    """An inline image; small ones keep their pixels when enlarged."""
    small = "pixels" if max(image.shape[:2]) <= SMALL else None
    return tag("img", src=address(image), alt=alt, class_=small)


def table(
    head: list[Child], rows: list[list[Child]], *, labels: list[str] | None = None, **given: Any
) -> Html:
    """A table whose rows become small cards on narrow screens: each cell carries its column's label."""
    names = labels or [str(cell) for cell in head]
    body = [tag("tr", [_cell(c, n) for c, n in zip(row, names, strict=True)]) for row in rows]
    top = tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head]))
    return tag("div", tag("table", top, tag("tbody", body), **given), class_="wide")


def _cell(content: Child, label: str) -> Html:
    if isinstance(content, Html) and content.startswith(("<td", "<th")):
        return content
    return tag("td", content, data_label=label)


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
