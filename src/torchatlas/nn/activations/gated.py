"""Gated units: one half of the features opens and closes the other, so the width is halved."""

from ...cards.card import borrowed

borrowed(
    "glu",
    "torch.nn:GLU",
    "GLU: the first half of the features times the sigmoid of the second",
    kind="layer",
    formula="a σ(b), where x = [a, b] along dim",
    year=2016,
    paper="arXiv:1612.08083",
)
