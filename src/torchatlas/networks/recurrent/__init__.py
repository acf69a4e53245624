"""Recurrent networks: a state that is carried from step to step."""

from .lstm import LSTM as LSTM
