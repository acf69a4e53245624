"""What is asked of a trained run beside its scores: what fools it, what it sees, can lose and hands on."""
