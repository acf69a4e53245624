"""Models that keep the classes as far apart as they can."""

from ...cards.card import borrowed

borrowed(
    "svm",
    "sklearn.svm:SVC",
    "Support vector machine: the widest margin between classes, with a Gaussian kernel",
    formula="min ‖w‖²/2 + C Σ max(0, 1 - y f(x)), f(x) = Σᵢ aᵢ yᵢ exp(-γ ‖x - xᵢ‖²) + b; one against one",
    year=1995,
    paper="Cortes and Vapnik, Machine Learning 20",
    regressor="sklearn.svm:SVR",
)
