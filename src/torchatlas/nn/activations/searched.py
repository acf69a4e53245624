"""Activations found by search, and their hand-made relatives: smooth, with a dip below zero."""

from ...cards.card import borrowed

borrowed(
    "swish",
    "torch.nn:SiLU",
    "Swish with β = 1, also SiLU: the input gated by its own sigmoid",
    formula="x σ(x)",
    year=2017,
    paper="arXiv:1710.05941",
    aliases=("silu",),
)

borrowed(
    "hardswish",
    "torch.nn:Hardswish",
    "HardSwish: Swish with the sigmoid in straight pieces",
    formula="x min(max(x + 3, 0), 6) / 6",
    year=2019,
    paper="arXiv:1905.02244",
)

borrowed(
    "mish",
    "torch.nn:Mish",
    "Mish: a smoother Swish",
    formula="x tanh(ln(1 + eˣ))",
    year=2019,
    paper="arXiv:1908.08681",
)
