"""skorch: NeuralNetClassifier as it comes, which prints a line an epoch; without its validation split."""

from pathlib import Path
from typing import Any

import torch
from skorch import NeuralNetClassifier
from torch import Tensor, nn

from bench.peers.nets import Array, Data, Task, classes_by, loss
from bench.peers.side import Side


class Loss(nn.Module):
    """The tasks' loss as a criterion."""

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        return loss(logits, y)


class Skorch(Side):
    """One epoch of `fit` over arrays in memory."""

    def __init__(self, task: Task, data: Data, seed: int, folder: Path):
        self.task, self.data, self.seed = task, data, seed

    def fresh(self) -> None:
        """A net around a new module."""
        task, adam = self.task, self.task.optimizer == "adam"
        options: dict[str, Any] = {} if adam else {"optimizer__momentum": task.momentum}
        self.net = NeuralNetClassifier(
            task.network(self.data.classes, self.seed),
            criterion=Loss,
            optimizer=torch.optim.Adam if adam else torch.optim.SGD,
            lr=task.lr,
            max_epochs=1,
            batch_size=task.batch,
            iterator_train__shuffle=True,
            train_split=None,
            classes=list(range(self.data.classes)),
            **options,
        ).initialize()

    def run(self) -> None:
        """One epoch; `partial_fit`, as `fit` would make the net anew."""
        self.net.partial_fit(self.data.x, self.data.y)

    def classes(self, x: Tensor) -> Array:
        """By the trained module."""
        return classes_by(self.net.module_, x)

    @property
    def parameters(self) -> int:
        """Of the module."""
        return sum(p.numel() for p in self.net.module_.parameters())
