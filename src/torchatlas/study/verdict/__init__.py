"""Verdicts: which differences are real, and how that is said."""
