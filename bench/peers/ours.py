"""torchatlas: the loop of a recipe, as `torchatlas train` makes it: record, progress and NaN guard are on."""

import copy
import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from bench.peers.nets import Array, Data, Task, classes_by
from bench.peers.side import Side
from torchatlas.cards.reader import find
from torchatlas.data import Modality, Part, Prepared, Spec
from torchatlas.engine.distribution import ALONE
from torchatlas.engine.progress import PlainProgress
from torchatlas.study.training.recipe import Recipe
from torchatlas.study.training.train import make_chosen, set_back

REAL = 1000  # times as long is the run that auto chooses for: for seconds it would not try


class Ours(Side):
    """numerics: as a recipe says it. saves: whether it leaves a checkpoint at the end, synced to disk.

    `choosing` are the seconds until the loop stands; with `auto` it measures then. Outside of the times.
    """

    def __init__(
        self, task: Task, data: Data, seed: int, folder: Path, numerics: str = "exact", saves: bool = False
    ):
        steps = len(data.x) // task.batch
        planned = steps * (REAL if numerics == "auto" else 1)
        recipe = recipe_of(task, planned, seed, numerics)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        began = time.perf_counter()
        told, card = [PlainProgress()], find(task.method)
        _, self.loop = make_chosen(
            recipe, prepared(task, data), card, folder, told, None, ALONE, threads_free=True
        )
        self.choosing = time.perf_counter() - began
        self.loop.plan = dataclasses.replace(self.loop.plan, steps=steps)
        self.numerics = str(self.loop.gradient.numerics)
        words = [word for word in self.numerics.split("+") if "thread" not in word]
        self.words = "+".join(words) or "exact"  # as a recipe says it; threads have a field of their own
        self.checkpoints = folder / "checkpoints"
        if not saves:
            self.loop.store = None
        self.network: nn.Module = self.loop.learner.network  # type: ignore[assignment]
        self.start = copy.deepcopy(self.loop.state())

    def fresh(self) -> None:
        """A loop at step 0, an empty record, and no checkpoint."""
        self.loop.load_state(copy.deepcopy(self.start))
        set_back(self.loop, going_on=False)
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def run(self) -> None:
        """The whole loop."""
        self.loop.run()

    def classes(self, x: Tensor) -> Array:
        """By the trained module."""
        return classes_by(self.network, x)

    @property
    def parameters(self) -> int:
        """Of the module."""
        return sum(p.numel() for p in self.network.parameters())


def recipe_of(task: Task, steps: int, seed: int, numerics: str) -> Recipe:
    """The task's numbers as a recipe; what else it says is the default."""
    said = {
        "method": task.method,
        "options": {key: value for key, value in task.options.items() if key != "in_features"},
        "data": task.data,
        "seed": seed,
        "steps": steps,
        "batch_size": task.batch,
        "optimizer": task.optimizer,
        "lr": task.lr,
        "optimizer_options": {"momentum": task.momentum} if task.momentum else {},
        "numerics": numerics,
    }
    return Recipe.model_validate(said)


def prepared(task: Task, data: Data) -> Prepared:
    """The rows as prepared data, without validation and test parts: neither is measured here."""
    shape = tuple(data.x.shape[1:])
    modality: Modality = "text" if task.text else "image" if len(shape) == 3 else "table"
    names = tuple(str(k) for k in range(data.classes))
    spec = Spec(modality, shape, "language" if task.text else "classification", data.classes, names)
    part = Part(data.x, data.y, np.arange(len(data.y)))
    return Prepared(spec, part, None, None, None)  # type: ignore[arg-type]  # nothing raw is encoded
