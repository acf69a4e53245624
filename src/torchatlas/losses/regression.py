"""Losses between numbers."""

from ..cards.card import borrowed

borrowed(
    "mse_loss",
    "torch.nn:MSELoss",
    "Mean squared error, whose best constant is the mean",
    formula="(ŷ - y)², averaged over all numbers",
    year=1805,
    paper="Legendre, Nouvelles méthodes pour la détermination des orbites des comètes",
    topics=("regression",),
    aliases=("mse",),
)

borrowed(
    "l1_loss",
    "torch.nn:L1Loss",
    "Mean absolute error, whose best constant is the median",
    formula="|ŷ - y|, averaged over all numbers",
    year=1774,
    paper="Laplace, Mémoire sur la probabilité des causes par les événements",
    topics=("regression",),
)

borrowed(
    "smooth_l1",
    "torch.nn:SmoothL1Loss",
    "Smooth L1: squared near zero, absolute farther away",
    formula="d²/(2β) for |d| < β, |d| - β/2 beyond, d = ŷ - y; β = 1",
    year=2015,
    paper="arXiv:1504.08083",
    topics=("regression",),
)
