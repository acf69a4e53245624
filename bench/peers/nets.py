"""What every library trains: five networks, each with its data, batch, optimizer and number of steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchatlas import create
from torchatlas.engine.randomness import reseed

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Task:
    """A network and how it is trained; `batch * steps` rows are seen once, without schedule or clipping."""

    name: str
    method: str  # its name in the catalog
    options: dict[str, Any]
    data: str  # the set's name; where it is not on disk, made data of the same shape
    batch: int
    steps: int  # of a timed stretch
    longer: int  # how many times as many steps, and rows, the training takes that accuracy is measured after
    optimizer: str  # adam or sgd
    lr: float
    momentum: float = 0.0

    @property
    def text(self) -> bool:
        """Whether it reads text."""
        return "context" in self.options

    def network(self, classes: int, seed: int) -> nn.Module:
        """The network as torchatlas starts it from a seed; every library on PyTorch trains this module."""
        reseed("cpu", seed, "init")
        made: nn.Module = create(self.method, num_classes=classes, **self.options)
        return made

    def optimizer_for(self, net: nn.Module, fused: bool | None = None) -> torch.optim.Optimizer:
        """PyTorch's optimizer with this task's numbers; fused as said, or as PyTorch does by itself."""
        if self.optimizer == "adam":
            return torch.optim.Adam(net.parameters(), self.lr, fused=fused)
        return torch.optim.SGD(net.parameters(), self.lr, self.momentum, fused=fused)


MNIST = {"in_features": 784, "hidden": 100}
READER = {"context": 64, "width": 128}
TASKS = {
    task.name: task
    for task in (
        Task("mlp", "mlp", MNIST, "mnist", 64, 600, 1, "adam", 1e-3),
        Task("lenet", "lenet5", {"activation": "relu"}, "mnist", 64, 200, 4, "sgd", 0.05, 0.9),
        Task("resnet20", "resnet20_cifar", {}, "cifar10", 32, 8, 15, "sgd", 0.05, 0.9),
        Task(
            "gpt", "gpt", {**READER, "layers": 2, "dropout": 0.0}, "tinyshakespeare", 16, 16, 20, "adam", 1e-3
        ),
        Task("lstm", "lstm", READER, "tinyshakespeare", 32, 24, 14, "adam", 4e-3),
    )
}


@dataclass(frozen=True)
class Data:
    """Rows to train on and to test with: x floats (n, ...) or ids (n, t); y classes (n,) or ids (n, t)."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    source: str  # where it comes from, in words

    def first(self, rows: int) -> "Data":
        """With so many training rows."""
        return Data(self.x[:rows], self.y[:rows], self.test_x, self.test_y, self.classes, self.source)


def loss(logits: Tensor, y: Tensor) -> Tensor:
    """The mean cross entropy over rows, or over all characters."""
    return F.cross_entropy(logits.flatten(0, -2), y.flatten())


def accuracy(predicted: Array, data: Data) -> float:
    """The share of rows, or characters, whose class is told."""
    return float((predicted == data.test_y.numpy()).mean())


def classes_by(net: nn.Module, x: Tensor) -> Array:
    """The classes that a PyTorch module tells."""
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part).argmax(-1) for part in x.split(256)]).numpy()
