"""How much better a model is on what it was trained on than on what it was not."""

from dataclasses import dataclass

from ..cards.card import method
from ..data.spec import Part
from ..engine.errors import UsageError
from ..engine.learner import Learner, mean_scores


@dataclass(frozen=True)
class Gap:
    """Mean scores on training rows and on rows held out, each score's name to its mean."""

    train: dict[str, float]
    held_out: dict[str, float]

    @property
    def gap(self) -> dict[str, float]:
        """Held out less train: above 0 for a loss that generalises imperfectly."""
        return {name: self.held_out[name] - self.train[name] for name in self.train}


@method(
    "error_gap",
    aliases=("generalisation_gap", "generalization_gap"),
    topics=("evaluation",),
)
def error_gap(learner: Learner, train: Part, held_out: Part, seed: int = 0) -> Gap:
    """Generalisation gap: each score on training rows and on rows held out, computed in the same way.

    Both are means over samples of `learner.scores`, in evaluation mode and without penalties or augmentation,
    so that they can be compared: the loss that training recorded is neither. A large error on both is too
    simple a model, a large gap too free a one. With `held_out` the test part, its mean estimates the error on
    new data; with one that chose the model, it flatters.
    Raises UsageError for an empty part, and for a learner without scores.
    """
    if not (len(train) and len(held_out)):
        raise UsageError("a gap is between two parts, and one of these has no rows")
    training = learner.training
    found = [mean_scores(learner, learner.trials(part, seed), (seed, "gap")) for part in (train, held_out)]
    learner.train(training)
    if not found[0]:
        raise UsageError(f"{type(learner).__name__} has no scores of its own to compare")
    return Gap(*found)
