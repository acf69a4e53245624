"""Normalisation: features brought to a common scale."""
