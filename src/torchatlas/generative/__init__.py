"""Floor 4: generative models."""
