"""Losses between sequences of unequal lengths."""
