"""From raw inputs to model inputs, fitted on the training part alone."""

from .image import ImageEncoder as ImageEncoder
from .table import TableEncoder as TableEncoder
