"""Classifiers whose scores in the end are not the ones that every turn learns by."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.learner import Batch, Learner


class AbstractJudged(Learner):
    """A learner of classes that is validated and asked by `judge`: logits (batch, classes)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def judge(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        """The logits that count when training is over."""
        return self.network(x)

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the cross entropy and the accuracy."""
        logits = self.judge(batch[0])
        right = (logits.argmax(1) == batch[1]).float()
        return {"loss": F.cross_entropy(logits, batch[1], reduction="none"), "accuracy": right}

    def predict(self, x: Tensor) -> Tensor:
        """Class probabilities (batch, classes)."""
        return self.judge(x).softmax(1)
