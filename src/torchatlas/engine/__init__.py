"""Floor 1: the engine. Learner, loop, state and checkpoints, record, guard; it knows no method."""
