"""Initialisation: what weights are before the first step."""
