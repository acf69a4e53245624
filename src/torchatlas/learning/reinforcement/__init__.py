"""Reinforcement learning: agents that learn from what follows upon their actions."""

from .dqn import DQN as DQN
