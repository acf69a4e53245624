"""A run: its folder, and what can be asked of the trained model that lies there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ... import data as sources
from ...data.spec import Dataset, Spec
from ...engine.checkpoint import Store
from ...engine.environment import pick_device
from ...engine.errors import AtlasError, DataError, UsageError
from ...engine.learner import Learner
from ...engine.record import read_record
from .build import build
from .classical import Classical, load_classical
from .recipe import Recipe, read_recipe
from .scores import score_all

RECIPE, RECORD, RESULT, ENVIRONMENT, TEST = (
    "run.yaml",
    "record.jsonl",
    "result.json",
    "environment.json",
    "test.safetensors",
)


@dataclass
class Run:
    """A trained model with its recipe and results. `predict`, `evaluate` and `sample` take raw new data."""

    recipe: Recipe
    model: Learner | Classical
    preparation: sources.Preparation
    spec: Spec
    folder: Path | None = None
    scores: dict[str, float] = field(default_factory=dict)  # of the test part, touched once
    result: dict[str, Any] = field(default_factory=dict)
    test: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # y, prediction, rows
    history: list[dict[str, Any]] = field(default_factory=list)  # the record's lines

    def predict(self, data: Any, batch_size: int = 256) -> pd.DataFrame:
        """Predictions for raw inputs: class names and probabilities, or values on the target's scale."""
        return self.preparation.decode(self._outputs_of(self._read(data), batch_size))

    def outputs(self, inputs: Any, batch_size: int = 256) -> np.ndarray[Any, Any]:
        """The model's outputs for raw inputs, as an array of (rows, outputs)."""
        x = self.preparation.encode(inputs)
        return np.concatenate([predict_tensor(self.model, part).numpy() for part in x.split(batch_size)])

    def evaluate(self, data: Any) -> dict[str, float]:
        """Every score of the task on labelled data, given like `train`'s."""
        dataset = self._read(data)
        if dataset.target is None:
            wanted = ", ".join(self.preparation.coder.names)
            raise UsageError(f"{dataset.name} has no target to evaluate against: the model learned {wanted}")
        y = self.preparation.target(dataset.target).numpy()
        return score_all(self.spec, *original_scale(self.preparation, y, self._outputs_of(dataset)))

    def _read(self, data: Any) -> Dataset:
        """New data as the preparation wants it; of a set with its own test part, that part."""
        dataset: Dataset = data if isinstance(data, Dataset) else self.preparation.read(data)
        return dataset

    def _outputs_of(self, dataset: Dataset, batch_size: int = 256) -> np.ndarray[Any, Any]:
        """The model's outputs for a data set; what does not fit is told with the set's name."""
        try:
            return self.outputs(dataset.inputs, batch_size)
        except DataError as error:
            raise DataError(f"{dataset.name}: {error}") from error

    def sample(self, count: int = 16, seed: int = 0) -> np.ndarray[Any, Any]:
        """New data from a generative model, on the scale of the raw data."""
        from ...engine.randomness import reseed

        if not isinstance(self.model, Learner) or type(self.model).sample is Learner.sample:
            raise UsageError(f"{self.recipe.method} does not make new data; vae and gan_nonsaturating do")
        device = device_of(self.model)
        reseed(device, seed, "sample")
        self.model.eval()
        with torch.no_grad():
            return self.preparation.restore(self.model.sample(count).cpu())

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.4g}" for name, value in self.scores.items())
        name = f"{self.recipe.method} on {self.recipe.data}, seed {self.recipe.seed}"
        return f"Run({name}: {scores or 'no scores'})"


def original_scale(preparation: sources.Preparation, y: Any, p: Any) -> tuple[Any, Any]:
    """Targets and predictions as the user knows them: standardisation undone, (n, outputs)."""
    if preparation.spec.task != "regression":
        return y, p
    decode = preparation.decode
    return tuple(decode(np.asarray(v, dtype=np.float64).reshape(len(v), -1)).to_numpy() for v in (y, p))  # type: ignore[return-value]


def device_of(model: Learner) -> torch.device:
    """The device of a learner's parameters."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@torch.no_grad()
def predict_tensor(model: Learner | Classical, x: Tensor) -> Tensor:
    """A model's outputs for one batch of prepared inputs, on the CPU."""
    if isinstance(model, Classical):
        return model.predict(x)
    model.eval()
    return model.predict(x.to(device_of(model))).cpu()


def load(folder: str | Path, device: str = "auto") -> Run:
    """The trained model of a run folder, ready to predict on raw new data.

    Raises AtlasError where the folder holds no run, or no sound checkpoint.
    """
    folder = Path(folder)
    if not (folder / RECIPE).exists():
        raise AtlasError(
            f"{folder} is not a run: it has no {RECIPE}. A run is the folder that train --out wrote"
        )
    recipe = read_recipe(folder / RECIPE)
    preparation = sources.Preparation.load(folder / "preparation")
    run = Run(
        recipe, load_model(folder, recipe, preparation.spec, device), preparation, preparation.spec, folder
    )
    if (folder / RESULT).exists():
        run.result = json.loads((folder / RESULT).read_text())
        run.scores = run.result.get("scores", {})
    if (folder / TEST).exists():
        from safetensors.numpy import load_file

        run.test = load_file(folder / TEST)
    run.history = read_record(folder / RECORD)
    return run


def load_model(
    folder: Path, recipe: Recipe, spec: Spec, device: str = "auto", method: Any = None
) -> Learner | Classical:
    """The best weights of a run's newest sound checkpoint."""
    if (folder / "model").exists():
        return load_classical(folder / "model", spec)
    learner = build(recipe, spec, method)
    notes: list[str] = []
    found = Store(folder / "checkpoints").newest(notes.append, mend=False)
    if found is None:
        why = f" ({'; '.join(notes)})" if notes else ""
        raise AtlasError(
            f"{folder} has no sound checkpoint{why}; train it again: torchatlas train {folder / RECIPE}"
        )
    state = found[1]
    weights = state["best"].get("learner") if state["best"] else state["average"]
    learner.load_state_dict(weights or state["learner"])
    return learner.to(pick_device(device)).eval()


def runs_below(folder: Path) -> Iterator[Path]:
    """The run folders in a folder."""
    for path in sorted(folder.glob(f"*/{RECIPE}")):
        yield path.parent


def evaluate(run: str | Path, data: Any) -> dict[str, float]:
    """The scores of a run's model on labelled data."""
    return load(run).evaluate(data)


def predict(run: str | Path, data: Any) -> pd.DataFrame:
    """The predictions of a run's model for raw inputs."""
    return load(run).predict(data)


def sample(run: str | Path, count: int = 16, seed: int = 0) -> np.ndarray[Any, Any]:
    """New data from a run's generative model."""
    return load(run).sample(count, seed)
