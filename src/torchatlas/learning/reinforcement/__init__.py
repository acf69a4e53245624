"""Reinforcement learning: agents that learn from what follows upon their actions."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .dqn import DQN as DQN
else:
    __getattr__, __dir__ = exports(__name__, __file__)
