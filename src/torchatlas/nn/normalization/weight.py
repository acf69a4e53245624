"""Normalisation of weights: they are reparametrised, whatever the features do."""

from ...cards.card import borrowed

borrowed(
    "weight_norm",
    "torch.nn.utils.parametrizations:weight_norm",
    "Weight normalisation: a layer's weights as length times direction, learned apart",
    kind="tool",
    formula="w = g v / ‖v‖ per output unit; the layer that is given is changed, and returned",
    year=2016,
    paper="arXiv:1602.07868",
)

borrowed(
    "spectral_norm",
    "torch.nn.utils.parametrizations:spectral_norm",
    "Spectral normalisation: a layer's weights divided by their largest singular value",
    kind="tool",
    formula="W / σ(W), W as a matrix (outputs, the rest); a step of power iteration each time it is used in "
    "training; the layer that is given is changed, and returned",
    year=2018,
    paper="arXiv:1802.05957",
)

borrowed(
    "adabn",
    "torch.optim.swa_utils:update_bn",
    "AdaBN: batch normalisation with the statistics of the domain that a network is used on",
    kind="tool",
    formula="the running mean and variance of every batch norm are those of the loader's data, weights stay",
    year=2016,
    paper="arXiv:1603.04779",
    topics=("domain adaptation",),
)
