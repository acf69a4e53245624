"""Laws of classical estimators; scikit-learn's own checks of its contract stay with scikit-learn."""

from importlib import import_module
from typing import Any

import numpy as np

from ...cards.card import Card
from ...cards.reader import get
from .law import Check, must


def _fresh(card: Card) -> list[Any]:
    module, _, name = card.regressor.partition(":")
    twins = [getattr(import_module(module), name)(**card.tiny)] if card.regressor else []
    return [get(card.name)(**card.tiny), *twins]


def learns_three_clouds(card: Card) -> None:
    """Well separated clouds of points are told apart; the regressor learns a straight line."""
    noise = np.random.default_rng(0)
    labels = np.arange(90) % 3
    x = 4.0 * np.eye(3)[labels] + noise.normal(size=(90, 3)) * 0.5
    classifier, *regressors = _fresh(card)
    share = np.mean(classifier.fit(x, labels).predict(x) == labels)
    must(share > 0.95, f"{card.name} tells only {share:.0%} of three clear clouds right")
    for regressor in regressors:
        fit = regressor.fit(x, x[:, 0]).score(x, x[:, 0])
        must(fit > 0.8, f"{card.regressor} explains only {fit:.0%} of a straight line")


def clones_keep_their_settings(card: Card) -> None:
    """`clone` gives an equal estimator that is not fitted."""
    from sklearn.base import clone

    for estimator in _fresh(card):
        must(repr(clone(estimator)) == repr(estimator), f"{card.name}: a clone has other settings")


LAWS: tuple[Check, ...] = (learns_three_clouds, clones_keep_their_settings)
