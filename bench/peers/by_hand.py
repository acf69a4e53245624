"""By hand: the loop that one writes oneself in PyTorch, over tensors in memory."""

from pathlib import Path

import torch
from torch import Tensor

from bench.peers.nets import Array, Data, Task, classes_by, loss
from bench.peers.side import Side
from torchatlas.engine.randomness import generator


class ByHand(Side):
    """fused: the optimizer's kernel; None is PyTorch's own choice. Rows come in torchatlas's order."""

    def __init__(self, task: Task, data: Data, seed: int, folder: Path, fused: bool | None = None):
        self.task, self.data, self.seed, self.fused = task, data, seed, fused

    def fresh(self) -> None:
        """A network and an optimizer."""
        self.net = self.task.network(self.data.classes, self.seed)
        self.optimizer = self.task.optimizer_for(self.net, self.fused)
        self.losses: list[Tensor] = []

    def run(self) -> None:
        """Each step, and the losses kept."""
        data, net, optimizer = self.data, self.net, self.optimizer
        order = torch.randperm(len(data.x), generator=generator(self.seed, "order", 0))
        for rows in order.split(self.task.batch):
            optimizer.zero_grad()
            value = loss(net(data.x[rows]), data.y[rows])
            value.backward()
            optimizer.step()
            self.losses.append(value.detach())

    def classes(self, x: Tensor) -> Array:
        """By the trained module."""
        return classes_by(self.net, x)

    @property
    def parameters(self) -> int:
        """Of the module."""
        return sum(p.numel() for p in self.net.parameters())
