"""Floor 2: optimizers, and schedules of their learning rate."""

from .lamb import LAMB as LAMB
from .sm3 import SM3 as SM3
