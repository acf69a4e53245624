"""Dropout: features are left out at random while training."""

from ...cards.card import borrowed

borrowed(
    "dropout",
    "torch.nn:Dropout",
    "Dropout: each number is zeroed with probability p while training",
    formula="training: x m / (1 - p), m ~ Bernoulli(1 - p); evaluation: x",
    year=2014,
    paper="Srivastava et al., JMLR 15",
)

borrowed(
    "spatial_dropout",
    "torch.nn:Dropout2d",
    "Spatial dropout: whole channels are zeroed with probability p while training",
    formula="training: x m / (1 - p), one m ~ Bernoulli(1 - p) per channel; evaluation: x",
    year=2014,
    paper="arXiv:1411.4280",
)
