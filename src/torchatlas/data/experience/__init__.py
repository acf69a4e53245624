"""Experience: environments to act in, and the memory of what happened there."""

from .environments import (
    Environment as Environment,
    ObservationEncoder as ObservationEncoder,
    make as make,
    open_environment as open_environment,
)
from .playing import returns as returns
from .replay import Replay as Replay
