"""Floor 8: from a name and data to runs, comparisons and their reports."""
