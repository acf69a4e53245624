"""Losses between scores or probabilities of classes."""

from ..cards.card import borrowed

borrowed(
    "cross_entropy",
    "torch.nn:CrossEntropyLoss",
    "Cross entropy of softmax scores: the surprise at the true class",
    formula="-z_y + ln Σⱼ e^(zⱼ), z the scores before the softmax, y the class or the classes' probabilities",
    year=1990,
    topics=("classification",),
)

borrowed(
    "label_smoothing",
    "torch.nn:CrossEntropyLoss",
    "Cross entropy with smoothed labels: a share ε of the target is spread over all K classes",
    formula="cross entropy with the target (1 - ε) onehot(y) + ε/K; ε = label_smoothing = 0.1",
    year=2015,
    paper="arXiv:1512.00567",
    topics=("classification",),
    options={"label_smoothing": 0.1},
    parent="cross_entropy",
)

borrowed(
    "kl_divergence",
    "torch.nn:KLDivLoss",
    "Kullback-Leibler divergence of a prediction, given as log-probabilities, from the target",
    formula="mean over samples of Σ p (ln p - q), p the target's probabilities, q the predicted logarithms",
    year=1951,
    paper="Kullback and Leibler, Annals of Mathematical Statistics",
    topics=("distillation",),
    options={"reduction": "batchmean"},
)
