"""Optimizers that keep less than one number of state per weight."""

from ..cards.card import borrowed

borrowed(
    "adafactor",
    "torch.optim:Adafactor",
    "Adafactor: the mean squared gradient of a matrix kept as row and column means, no momentum",
    formula="V ≈ R C / mean(R), R and C moving averages of g² over rows and columns with β₂ = 1 - t^-0.8; "
    "u = g/√V; θ ← θ - max(1e-3, RMS(θ)) min(γ, 1/√t) u / max(1, RMS(u)/d); d = 1",
    year=2018,
    paper="arXiv:1804.04235",
)
