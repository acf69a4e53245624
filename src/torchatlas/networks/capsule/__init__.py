"""Capsule networks: groups of units whose length says whether a thing is there, and whose direction how."""

from .capsnet import CapsuleNetwork as CapsuleNetwork
