"""Pooling: a window of a map becomes one number."""
