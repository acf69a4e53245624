"""The fully connected layer: every output sees every input."""

from ...cards.card import borrowed

borrowed(
    "fully_connected",
    "torch.nn:Linear",
    "Fully connected layer: an affine map of the last dimension, each output a weighted sum of all inputs",
    formula="W x + b; d·h + h parameters and d·h multiply-adds for d inputs and h outputs",
    year=1958,
    paper="Rosenblatt, Psychological Review 65(6)",
    tiny={"in_features": 4, "out_features": 5},
)
