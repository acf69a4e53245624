"""Explanations by gradients: what a small change of each input would do to a class's score."""

from torch import Tensor

from ...cards.card import method
from ..gradients import Model, class_scores, input_gradient


@method(
    "saliency",
    year=2013,
    paper="arXiv:1312.6034",
    aliases=("saliency_map",),
    topics=("explainability", "vision"),
)
def saliency(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    r"""Saliency map: how steeply a class's score changes with each pixel.

    $M = \max_c |\partial S_y / \partial x_c|$ over the channels c; $S_y$ is the score before the softmax,
    not the probability or the loss, whose maps differ. Of a linear model it is $|w_y|$, whatever x is.

    model: a batch to scores (batch, classes), or one value each; a module is asked in evaluation mode.
    y: the class to explain, (batch,); without it, the one that the model sees.
    Shapes: (batch, channels, height, width) -> (batch, height, width); (batch, features) stay.
    Raises UsageError for a class that is not there.
    """

    steepness = input_gradient(model, x, lambda scores: class_scores(scores, y)[0]).abs()
    return steepness.amax(1) if x.ndim > 2 else steepness
