"""S-shaped activations: bounded on both sides."""

from ...cards.card import borrowed

borrowed(
    "sigmoid",
    "torch.nn:Sigmoid",
    "Sigmoid: squashes a number into (0, 1)",
    formula="σ(x) = 1 / (1 + e⁻ˣ)",
    year=1986,
)

borrowed(
    "hardsigmoid",
    "torch.nn:Hardsigmoid",
    "HardSigmoid: three straight pieces, in PyTorch's form with slope 1/6 (others use 1/2 or 1/5)",
    formula="min(max(x + 3, 0), 6) / 6",
    year=2015,
    paper="arXiv:1511.00363",
)

borrowed(
    "tanh",
    "torch.nn:Tanh",
    "Tanh: a sigmoid around zero, in (-1, 1)",
    formula="tanh(x) = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ) = 2 σ(2x) - 1",
    year=1986,
)

borrowed(
    "hardtanh",
    "torch.nn:Hardtanh",
    "HardTanh: the identity, cut off below and above",
    formula="min(max(x, -1), 1)",
    year=2004,
    paper="Collobert, thesis, Université Paris VI",
)

borrowed(
    "softmax",
    "torch.nn:Softmax",
    "Softmax over the last dimension: positive shares that sum to one",
    formula="e^(xᵢ) / Σⱼ e^(xⱼ)",
    year=1990,
    paper="Bridle, NATO ASI Neurocomputing",
    options={"dim": -1},
)
