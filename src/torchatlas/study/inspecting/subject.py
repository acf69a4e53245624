"""What an inspection looks at: a trained run, its scores, and rows that it did not learn from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ... import data as sources
from ...cards.reader import UnknownOption, catalog, create, find
from ...data.spec import Dataset, Part
from ...engine.errors import AtlasError, UsageError
from ...engine.learner import Learner
from ...learning.supervised.supervised import Supervised
from ..training.inputs import prepare
from ..training.resolve import card_of
from ..training.run import Run, load, predicts
from ..training.words import part as as_part


def opened(run: Run | str | Path) -> Run:
    """A run, loaded where it is a folder."""
    return run if isinstance(run, Run) else load(run)


def prepared_again(run: Run) -> sources.Prepared:
    """The run's own data, split and prepared as it was.

    Raises AtlasError where the data is no longer what it was, or was handed over as an object.
    """
    recipe = run.recipe
    try:
        dataset = sources.open_dataset(recipe.data, **recipe.data_options)
    except AtlasError as error:
        raise AtlasError(f"the data of this run is not at hand; name some with --data ({error})") from error
    return prepare(run.recipe, card_of(run.recipe.method), dataset)


def rows_of(run: Run, data: Any = None) -> Part:
    """Labelled rows: the run's own test part, or new data given like `train`'s."""
    if data is None:
        test = prepared_again(run).test
        if test is None or not len(test):
            raise UsageError("this run has no test part: name other data with --data")
        return test
    if not isinstance(data, Dataset):
        said = run.recipe.data_options
        data = run.preparation.read(data, said.get("separator"), said.get("encoding"))
    return run.preparation.part(data)


class Scores(nn.Module):
    """Prepared inputs -> scores before the softmax (batch, classes).

    Those of the network where the learner is a supervised one; else the logarithms of its probabilities,
    which differ from scores by a constant of each row. Of other tasks, the values.
    """

    def __init__(self, model: Learner, task: str):
        super().__init__()
        self.model, self.task = model, task

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.model, Supervised):
            scores: Tensor = self.model.network(x)
            return scores
        values = self.model.predict(x)
        return values.clamp_min(1e-30).log() if self.task == "classification" else values


def scores_of(run: Run) -> Scores:
    """The scores of a run's model. Raises UsageError where it has no gradient, or predicts nothing."""
    if not isinstance(run.model, Learner):
        raise UsageError(f"{run.recipe.method} has no gradient; this needs a model that is trained by one")
    if not predicts(run.model):
        raise UsageError(f"{run.recipe.method} predicts nothing, so there is nothing to look into")
    return Scores(run.model, run.spec.task)


def chosen(kind: str, name: str, options: dict[str, Any], given: tuple[str, ...]) -> Callable[..., Any]:
    """A method of a kind with its options bound.

    Raises UsageError for a method of another kind and for options that are wrong, or the study's to give.
    """
    if find(name).kind != kind:
        known = ", ".join(card.name for card in catalog().values() if card.kind == kind)
        raise UsageError(f"{name} is of kind {find(name).kind}, not {kind}; take {known}")
    for word in given:
        if word in options:
            raise UsageError(f"{word} is not to be set: it follows from the run and its data")
    try:
        made: Callable[..., Any] = create(name, **{key: as_part(value) for key, value in options.items()})
    except UnknownOption as error:
        raise UsageError(str(error)) from error
    return made
