"""Training: from a method's name and data to a run in its folder, and what can be asked of it."""
