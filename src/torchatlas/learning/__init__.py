"""Floor 5: ways to learn."""
