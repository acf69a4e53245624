"""Proof of methods: laws run anywhere, references run in a checkout, certificates."""
