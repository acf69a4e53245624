"""Wrappers: optimizers that let another one take the steps."""

from .lookahead import Lookahead as Lookahead
from .sam import SAM as SAM
