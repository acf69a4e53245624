"""What can be asked of a trained run beside its scores: what fools it, what it looks at, what it can lose."""
