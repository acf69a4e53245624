"""Scikit-learn's estimators in a run: fitted once on the prepared training part, saved without pickle."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import has_fit_parameter
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import find, get
from ...data.spec import Part, Spec
from ...engine.errors import AtlasError, UsageError
from ...engine.randomness import key_seed
from .words import part

Array = np.ndarray[Any, Any]
OURS = "torchatlas.learning."


class Classical:
    """A fitted scikit-learn estimator that answers like a learner: probabilities, or standardised values."""

    def __init__(self, estimator: Any, spec: Spec):
        self.estimator, self.spec = estimator, spec

    def predict(self, x: Tensor) -> Tensor:
        """(n, outputs) probabilities or values."""
        flat = x.flatten(1).double().numpy()
        if self.spec.task == "regression":
            return torch.from_numpy(np.asarray(self.estimator.predict(flat)).reshape(len(flat), -1)).float()
        if self.spec.task == "multilabel":
            return torch.from_numpy(self._labels(flat)).float()
        return torch.from_numpy(self._all_classes(self._probabilities(flat))).float()

    def _labels(self, flat: Array) -> Array:
        """The probability of each label's 1, also of one that training saw always or never."""
        if hasattr(self.estimator, "predict_proba"):
            found = zip(self.estimator.predict_proba(flat), self.estimator.classes_)
            columns = [p[:, list(c).index(1)] if 1 in c else np.zeros(len(p)) for p, c in found]
        else:
            scores = [one.decision_function(flat) for one in self.estimator.estimators_]
            columns = [1 / (1 + np.exp(-score)) for score in scores]
        return np.stack(columns, 1)

    def _probabilities(self, flat: Array) -> Any:
        if hasattr(self.estimator, "predict_proba"):
            return self.estimator.predict_proba(flat)
        scores = self.estimator.decision_function(flat)
        scores = np.stack([-scores, scores], 1) if scores.ndim == 1 else scores
        return torch.from_numpy(scores).softmax(1).numpy()

    def _all_classes(self, p: Array) -> Array:
        """Columns for the classes that the training part happened to miss."""
        whole = np.zeros((len(p), self.spec.outputs))
        whole[:, np.asarray(self.estimator.classes_, int)] = p
        return whole


def make_estimator(card: Card, spec: Spec, options: dict[str, Any], seed: int) -> Any:
    """The classifier or regressor of a card, seeded."""
    if spec.task == "none":
        raise UsageError(f"{card.name} learns from a target and this data has none; say which with --target")
    maker = get(card.name)
    if spec.task == "regression":
        if not card.regressor:
            raise UsageError(f"{card.name} classifies; this target is a number")
        from importlib import import_module

        module, _, name = card.regressor.partition(":")
        maker = getattr(import_module(module), name)
    try:
        estimator = maker(**options)
    except TypeError as error:
        raise UsageError(f"{card.name}: {error}") from error
    if "random_state" in estimator.get_params() and "random_state" not in options:
        estimator.set_params(random_state=key_seed(seed, "fit") % 2**31)
    return estimator


def fit_classical(
    name: str, spec: Spec, train: Part, options: dict[str, Any], seed: int, unlabelled: Part | None = None
) -> Classical:
    """Fit a card's estimator on a training part; with a teacher (`run:DIR`), on all rows it can label."""
    teacher = options.get("teacher")
    if teacher is None:
        return fit_estimator(make_estimator(find(name), spec, options, seed), spec, train)
    estimator = make_estimator(find(name), spec, options | {"teacher": _teacher(teacher, spec)}, seed)
    if unlabelled is not None:
        train = replace(unlabelled, y=torch.zeros(len(unlabelled), dtype=torch.long))
    fitted = fit_estimator(estimator, spec, train)
    fitted.estimator.set_params(teacher=None)  # it has taught; the student is kept without it
    return fitted


def _teacher(text: str, spec: Spec) -> Any:
    """What labels flat rows by a trained network's probabilities; UsageError for another data's network."""
    from ...learning.distillation.teacher import must_fit, soft_targets

    network = part(text)
    must_fit(network, spec)
    return lambda flat: soft_targets(network, torch.from_numpy(flat).float().view(-1, *spec.shape)).numpy()


def fit_estimator(estimator: Any, spec: Spec, train: Part) -> Classical:
    """Fit any scikit-learn estimator on a training part; one of a single output gets a copy per output."""
    assert train.y is not None
    x, y = train.x.flatten(1).double().cpu().numpy(), train.y.cpu().numpy()
    if spec.task == "regression" and y.ndim > 1 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim > 1 and not _takes_many(estimator):
        from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor

        wrap = MultiOutputRegressor if spec.task == "regression" else MultiOutputClassifier
        estimator = wrap(estimator)
    weights: dict[str, Any] = {}
    if train.weight is not None:
        if not has_fit_parameter(estimator, "sample_weight"):
            raise UsageError(f"{type(estimator).__name__} knows no sample weights, and this data has them")
        weights["sample_weight"] = train.weight.double().cpu().numpy()
    try:
        return Classical(estimator.fit(x, y, **weights), spec)
    except ValueError as error:
        raise AtlasError(f"{type(estimator).__name__} could not be fitted: {error}") from error


def _takes_many(estimator: Any) -> bool:
    return bool(estimator.__sklearn_tags__().target_tags.multi_output)


def save_classical(model: Classical, folder: Path) -> None:
    """Write the estimator in skops' format: no pickle."""
    import skops.io

    from ...engine.checkpoint import replace_durably, unwritable

    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_durably(folder / "estimator.skops", skops.io.dumps(model.estimator))
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def load_classical(folder: Path, spec: Spec) -> Classical:
    """Read it back. Raises AtlasError where the file holds types that are not scikit-learn's."""
    import skops.io

    path = folder / "estimator.skops"
    foreign = [
        t
        for t in skops.io.get_untrusted_types(file=path)
        if not t.startswith(("sklearn.", "numpy.", "scipy.", OURS))
    ]
    if foreign:
        raise AtlasError(
            f"{path} holds types that scikit-learn does not make ({', '.join(foreign)}); not loaded"
        )
    trusted = skops.io.get_untrusted_types(file=path)
    return Classical(skops.io.load(path, trusted=trusted), spec)
