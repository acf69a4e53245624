"""Lightning: a LightningModule, a DataLoader over a TensorDataset, and a Trainer for one epoch."""

import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from bench.peers.nets import Array, Data, Task, classes_by, loss
from bench.peers.side import Side


class Module(lightning.LightningModule):
    """The network with its loss, as the documentation writes it."""

    def __init__(self, task: Task, classes: int, seed: int, logs: bool):
        super().__init__()
        self.task, self.logs = task, logs
        self.net = task.network(classes, seed)

    def training_step(self, batch: Any, index: int) -> Tensor:
        """The loss of a batch, logged where logging is on."""
        value = loss(self.net(batch[0]), batch[1])
        if self.logs:
            self.log("train_loss", value)
        return value

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Not fused as it comes, fused where everything else is off."""
        return self.task.optimizer_for(self.net, None if self.logs else True)


class Lightning(Side):
    """bare: `barebones=True`, which leaves out logs, progress, checkpoints and summary; else as it comes."""

    def __init__(self, task: Task, data: Data, seed: int, folder: Path, bare: bool = False):
        self.task, self.data, self.seed, self.folder, self.bare = task, data, seed, folder, bare

    def fresh(self) -> None:
        """Module, loader and trainer."""
        warnings.filterwarnings("ignore", module="lightning")  # its advice on workers and log intervals
        kept = {"barebones": True} if self.bare else {"default_root_dir": self.folder}
        self.module = Module(self.task, self.data.classes, self.seed, logs=not self.bare)
        rows = TensorDataset(self.data.x, self.data.y)
        self.loader = DataLoader(rows, self.task.batch, shuffle=True)
        self.trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", **kept)

    def run(self) -> None:
        """One epoch."""
        self.trainer.fit(self.module, self.loader)

    def classes(self, x: Tensor) -> Array:
        """By the trained module."""
        return classes_by(self.module.net, x)

    @property
    def parameters(self) -> int:
        """Of the module."""
        return sum(p.numel() for p in self.module.net.parameters())
