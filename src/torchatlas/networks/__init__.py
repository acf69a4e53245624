"""Floor 3: networks, from one affine map to deep stacks."""
