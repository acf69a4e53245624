"""Few-shot learning: new classes from one or a few samples of each."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .maml import FOMAML as FOMAML, MAML as MAML
    from .prototypes import PrototypicalNetworks as PrototypicalNetworks
else:
    __getattr__, __dir__ = exports(__name__, __file__)
