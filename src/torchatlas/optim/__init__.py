"""Floor 2: optimizers, and schedules of their learning rate."""
