"""From raw inputs to model inputs, fitted on the training part alone."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .image import ImageEncoder as ImageEncoder
    from .table import TableEncoder as TableEncoder
else:
    __getattr__, __dir__ = exports(__name__, __file__)
