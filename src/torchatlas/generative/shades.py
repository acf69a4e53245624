"""How many shades of grey the pixels of prepared images have: what densities of images are counted in."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..data.prepared import Prepared

USUAL = 256


def shades_of(data: "Prepared") -> int:
    """The brightest whole value that a pixel can have, plus one: 17 for digits, 256 for bytes and floats."""
    maximum = getattr(data.preparation.encoder, "maximum", USUAL - 1)
    return int(maximum) + 1 if maximum > 1 and float(maximum).is_integer() else USUAL
