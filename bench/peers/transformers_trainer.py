"""Hugging Face's Trainer: a module that gives its loss, a dataset of dicts, one epoch."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from bench.peers.nets import Array, Data, Task, classes_by, loss
from bench.peers.side import Side


class WithLoss(nn.Module):
    """The network in the form that Trainer wants: loss and logits for inputs with labels."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.net(x)
        return {"loss": loss(logits, labels), "logits": logits}


class Rows(Dataset[dict[str, Tensor]]):
    """Rows as dicts."""

    def __init__(self, data: Data):
        self.data = data

    def __len__(self) -> int:
        return len(self.data.x)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {"x": self.data.x[row], "labels": self.data.y[row]}


class Transformers(Side):
    """bare: without logs, progress and checkpoints, and with the fused optimizer; else as it comes.

    Equal work needs three settings always: no clipping, a constant rate, and the task's optimizer.
    """

    def __init__(self, task: Task, data: Data, seed: int, folder: Path, bare: bool = False):
        self.task, self.data, self.seed, self.folder, self.bare = task, data, seed, folder, bare

    def fresh(self) -> None:
        """Model, optimizer and trainer."""
        quiet: dict[str, Any] = {"logging_strategy": "no", "save_strategy": "no", "disable_tqdm": True}
        arguments = TrainingArguments(
            output_dir=str(self.folder),
            num_train_epochs=1,
            per_device_train_batch_size=self.task.batch,
            max_grad_norm=0.0,
            seed=self.seed,
            use_cpu=True,
            report_to="none",
            **(quiet if self.bare else {}),
        )
        self.net = self.task.network(self.data.classes, self.seed)
        optimizer = self.task.optimizer_for(self.net, True if self.bare else None)
        constant = LambdaLR(optimizer, lambda step: 1.0)
        rows = Rows(self.data)
        self.trainer = Trainer(
            WithLoss(self.net), arguments, train_dataset=rows, optimizers=(optimizer, constant)
        )

    def run(self) -> None:
        """One epoch."""
        self.trainer.train()

    def classes(self, x: Tensor) -> Array:
        """By the trained module."""
        return classes_by(self.net, x)

    @property
    def parameters(self) -> int:
        """Of the module."""
        return sum(p.numel() for p in self.net.parameters())
