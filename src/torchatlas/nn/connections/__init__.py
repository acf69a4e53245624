"""Connections around layers: how what a layer makes meets what it was given."""

from .skip import SkipConnection as SkipConnection
