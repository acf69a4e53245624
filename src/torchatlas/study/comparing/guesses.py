"""Baselines of data that is no table of rows: what anybody could do without learning, or by counting."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...data.experience import make
from ...data.experience.playing import returns
from ...data.prepared import Prepared
from ...engine.learner import Batch, Learner
from ...learning.few_shot.prototypes import PrototypicalNetworks


class Bigram(Learner):
    """The next character by the last one alone: counts of pairs in the training part, each plus one."""

    monitor = "bits_per_character"
    log_shares: Tensor

    def __init__(self, x: Tensor, y: Tensor, classes: int):  # (n, context), (n, context)
        super().__init__()
        pairs = (x * classes + y).flatten().bincount(minlength=classes**2).view(classes, classes)
        counts = pairs.double() + 1
        self.register_buffer("log_shares", (counts / counts.sum(1, keepdim=True)).log())

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per window: bits per character, the loss in nats, and the share of characters that is right."""
        loss = -self.log_shares[batch[0], batch[1]].mean(1)
        right = (self.log_shares.argmax(1)[batch[0]] == batch[1]).double().mean(1)
        return {"bits_per_character": loss / math.log(2), "loss": loss, "accuracy": right}


class RandomPolicy(Learner):
    """An agent that acts at random."""

    monitor = "return"
    maximise = True

    def __init__(self, environment: str, actions: int):
        super().__init__()
        self.environment, self.actions = environment, actions

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """The return of each episode, by its seed."""
        draw = torch.Generator().manual_seed(0)

        def policy(seen: Tensor) -> Tensor:
            return torch.randint(self.actions, (len(seen),), generator=draw)

        return {"return": returns(partial(make, self.environment), policy, batch[0].tolist())}


def guess_for(prepared: Prepared, options: Mapping[str, Any]) -> Learner:
    """The baseline of text, of an environment, or of classes that training did not show.

    The last is the nearest mean of raw inputs; `options` are the few-shot method's way, shot and query.
    """
    spec, train = prepared.spec, prepared.train
    if spec.task == "language":
        assert train.y is not None
        return Bigram(train.x, train.y, spec.outputs)
    if spec.task == "control":
        return RandomPolicy(spec.environment, spec.outputs)
    asked = {key: options[key] for key in ("way", "shot", "query") if key in options}
    return PrototypicalNetworks(nn.Flatten(), **{"way": 5, "shot": 1, "query": 15, **asked})
