"""Comparing: many runs under one budget, to a table, a verdict and a report."""
