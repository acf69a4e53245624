"""Floor 2: optimizers, and schedules of their learning rate."""

from typing import TYPE_CHECKING

from ..cards.exports import exports

if TYPE_CHECKING:
    from .adax import AdaX as AdaX
    from .amos import Amos as Amos
    from .funnelled import FunnelledSGDM as FunnelledSGDM
    from .lamb import LAMB as LAMB
    from .lars import LARS as LARS
    from .lion import Lion as Lion
    from .novograd import NovoGrad as NovoGrad
    from .sm3 import SM3 as SM3
else:
    __getattr__, __dir__ = exports(__name__, __file__)
