"""Experience: environments to act in, and the memory of what happened there."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .environments import (
        Environment as Environment,
        ObservationEncoder as ObservationEncoder,
        make as make,
        open_environment as open_environment,
    )
    from .playing import returns as returns
    from .replay import Replay as Replay
else:
    __getattr__, __dir__ = exports(__name__, __file__)
