"""Few-shot learning: new classes from one or a few samples of each."""

from .maml import FOMAML as FOMAML, MAML as MAML
from .prototypes import PrototypicalNetworks as PrototypicalNetworks
