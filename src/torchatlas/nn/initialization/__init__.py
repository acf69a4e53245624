"""Initialisation: what weights are before the first step."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .fixed import constant_ as constant_, identity_ as identity_, zero_hadamard_ as zero_hadamard_
    from .mimetic import mimetic_ as mimetic_
    from .sparse import sparse_ as sparse_
else:
    __getattr__, __dir__ = exports(__name__, __file__)
