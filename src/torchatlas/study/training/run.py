"""A run: its folder, and what can be asked of the trained model that lies there."""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_from_bytes
from torch import Tensor

from ... import data as sources
from ...data.spec import Dataset, Part, Spec
from ...engine.checkpoint import Store, foreign, unseal
from ...engine.environment import pick_device
from ...engine.errors import AtlasError, DataError, UsageError
from ...engine.learner import Learner
from ...engine.randomness import reseed
from ...engine.record import read_record
from .build import build
from .classical import Classical, load_classical
from .intervals import Estimate, estimates, estimates_of
from .recipe import RECIPE as RECIPE, Recipe, recipe_of
from .scores import SCORES
from .words import without_gone

RECORD, RESULT, ENVIRONMENT, TEST = (
    "record.jsonl",
    "result.json",
    "environment.json",
    "test.safetensors",
)
RECORDS = "records"  # where the result holds how many lines the record has
TEST_SUM = "test_sha256"  # where the result holds the checksum of the predictions for the test part


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
        """Predictions for raw inputs: class names and probabilities, or values on the target's scale.

        Where the rows are files, their names come first. Raises UsageError where the model predicts nothing.
        """
        self._must_predict()
        dataset = self._read(data)
        table = self.preparation.decode(self._outputs_of(dataset, batch_size))
        if len(dataset.files) and "file" not in table:
            table.insert(0, "file", [str(name) for name in dataset.files])
        return table

    def outputs(self, inputs: Any, batch_size: int = 256) -> np.ndarray[Any, Any]:
        """The model's outputs for raw inputs, as an array of (rows, outputs)."""
        if batch_size < 1:
            raise UsageError(f"batch_size must be at least 1, not {batch_size}")
        outputs, done = np.empty(0), 0
        for x, rows in self._encoded(inputs, batch_size):
            some = predict_tensor(self.model, x).numpy()
            if not done:  # one block for all: small ones would keep the memory of batches in use
                outputs = np.empty((rows, *some.shape[1:]), some.dtype)
            outputs[done : done + len(some)] = some
            done += len(some)
        return outputs

    def _encoded(self, inputs: Any, batch_size: int) -> Iterator[tuple[Tensor, int]]:
        """Model inputs by the batch, each with the number of all rows.

        An array of images is encoded by the batch too, for as floats it takes several times the memory.
        """
        encode, pictures = self.preparation.encode, self.spec.modality == "image"
        if not (pictures and isinstance(inputs, np.ndarray)) or len(inputs) <= batch_size:
            every = encode(inputs)
            yield from ((x, len(every)) for x in every.split(batch_size))
            return
        for start in range(0, len(inputs), batch_size):
            try:
                x = encode(inputs[start : start + batch_size])
            except DataError:
                x = encode(inputs)  # raises it too, and tells the row by its place among all
            yield x, len(inputs)

    def evaluate(self, data: Any) -> dict[str, Estimate]:
        """Every score of the task on labelled data, given like `train`'s, with 95 % intervals over samples.

        Of a learner that predicts nothing, the means of its own scores. Raises UsageError where it has none.
        """
        if not predicts(self.model) or self.spec.task not in SCORES:
            return self._own_scores(data)
        dataset = self._read(data)
        y = self._target_of(dataset).numpy()
        return estimates(self.spec, *original_scale(self.preparation, y, self._outputs_of(dataset)))

    def _own_scores(self, data: Any) -> dict[str, Estimate]:
        """The means of the learner's own scores, as its validation and test parts are scored."""
        model = self.model
        if not isinstance(model, Learner) or type(model).scores is Learner.scores:
            raise UsageError(f"{self.recipe.method} has no score on new data{self._cure()}")
        dataset, device = self._read(data), device_of(model)
        if model.needs_target and self.spec.task in SCORES:
            self._target_of(dataset)  # tells which one is missing
        part = self._told(dataset, self.preparation.part, dataset).to(device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            reseed(device, self.recipe.seed, "test")
            found = own_scores(model, part, self.recipe.seed)
        return estimates_of(found)

    def _target_of(self, dataset: Dataset) -> Tensor:
        if dataset.target is None:
            wanted = ", ".join(self.preparation.coder.names)
            raise UsageError(f"{dataset.name} has no target to evaluate against: the model learned {wanted}")
        return self.preparation.target(dataset.target)

    def _must_predict(self) -> None:
        if not predicts(self.model):
            makes = "makes data and " if makes_data(self.model) else ""
            raise UsageError(f"{self.recipe.method} {makes}predicts nothing{self._cure()}")

    def _cure(self) -> str:
        return f": use torchatlas sample {self.folder or 'RUN'}" if makes_data(self.model) else ""

    def _read(self, data: Any) -> Dataset:
        """New data as the preparation wants it; of a set with its own test part, that part."""
        if isinstance(data, Dataset):
            return data
        said = self.recipe.data_options
        dataset: Dataset = self.preparation.read(data, said.get("separator"), said.get("encoding"))
        return dataset

    def _outputs_of(self, dataset: Dataset, batch_size: int = 256) -> np.ndarray[Any, Any]:
        """The model's outputs for a data set."""
        outputs: np.ndarray[Any, Any] = self._told(dataset, self.outputs, dataset.inputs, batch_size)
        return outputs

    @staticmethod
    def _told(dataset: Dataset, function: Callable[..., Any], *words: Any) -> Any:
        """What a function gives; data that does not fit is told with the set's name."""
        try:
            return function(*words)
        except DataError as error:
            raise DataError(f"{dataset.name}: {error}") from error

    def sample(self, count: int = 16, seed: int = 0) -> np.ndarray[Any, Any]:
        """New data from a generative model, on the scale of the raw data."""
        if not isinstance(self.model, Learner) or not makes_data(self.model):
            raise UsageError(f"{self.recipe.method} does not make new data; vae and gan_nonsaturating do")
        device = device_of(self.model)
        reseed(device, seed, "sample")
        self.model.eval()
        with torch.no_grad():
            return self.preparation.restore(self.model.sample(count).cpu())

    def examples(self, count: int = 16) -> list[Any]:
        """A few samples to look at: pictures or texts; none from a model that makes neither."""
        shown = self.spec.modality in ("image", "text") and makes_data(self.model)
        return list(self.sample(count)) if shown else []

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


def predicts(model: Learner | Classical) -> bool:
    """Whether a model predicts; what only makes data does not."""
    return isinstance(model, Classical) or type(model).predict is not Learner.predict


def makes_data(model: Learner | Classical) -> bool:
    """Whether a model makes new data."""
    return isinstance(model, Learner) and type(model).sample is not Learner.sample


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


@torch.no_grad()
def own_scores(model: Learner, part: Part, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """A learner's own scores for each sample that its trials of a part bring, in their order."""
    model.eval()
    found: dict[str, list[np.ndarray[Any, Any]]] = {}
    for batch in model.trials(part, seed):
        for name, score in model.scores(batch).items():
            found.setdefault(name, []).append(score.double().cpu().numpy())
    return {name: np.concatenate(values) for name, values in found.items()}


def load(folder: str | Path, device: str = "auto") -> Run:
    """The trained model of a run folder, ready to predict on raw new data.

    Raises AtlasError where the folder holds no run, or no sound checkpoint.
    """
    folder = Path(folder)
    if not (folder / RECIPE).exists():
        raise AtlasError(
            f"{folder} is not a run: it has no {RECIPE}. A run is the folder that train --out wrote"
        )
    recipe = recipe_of(folder)
    preparation = sources.Preparation.load(folder / "preparation")
    run = Run(
        recipe, load_model(folder, recipe, preparation.spec, device), preparation, preparation.spec, folder
    )
    run.result = read_result(folder)
    run.scores = run.result.get("scores", {})
    run.test = read_test(folder, run.result)
    run.history = read_record(folder / RECORD)
    if (lost := run.result.get(RECORDS, 0) - len(run.history)) > 0:
        _warn(f"{folder / RECORD} has lost {lost} of its {run.result[RECORDS]} lines{_anew(folder)}")
    return run


def read_result(folder: Path) -> dict[str, Any]:
    """A run's result; nothing where it is not finished, or (with a warning) where the file is damaged."""
    try:
        result = unseal((folder / RESULT).read_bytes())
        if "scores" not in result:
            raise ValueError("it has no scores")
        return result
    except FileNotFoundError:
        return {}
    except ValueError as error:
        _warn(f"{folder / RESULT} is damaged ({error}) and left out{_anew(folder)}")
        return {}


def read_test(folder: Path, result: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """A run's predictions for its test part; none, with a warning, where they are not those written."""
    path, wanted = folder / TEST, result.get(TEST_SUM)
    try:
        content = path.read_bytes()
        if wanted in (None, hashlib.sha256(content).hexdigest()):
            return arrays_from_bytes(content)
        what = "is damaged: its checksum is not the one written"
    except FileNotFoundError:
        if wanted is None:
            return {}
        what = "is missing"
    except SafetensorError as error:
        what = f"is damaged ({error})"
    _warn(f"{path} {what}; its predictions are left out, the scores stand{_anew(folder)}")
    return {}


def _anew(folder: Path) -> str:
    return f". Write it anew: torchatlas train --resume {folder}"


def _warn(note: str) -> None:
    warnings.warn(note, stacklevel=4)


def load_model(
    folder: Path, recipe: Recipe, spec: Spec, device: str = "auto", method: Any = None
) -> Learner | Classical:
    """The best weights of a run's newest sound checkpoint."""
    if (folder / "model").exists():
        return load_classical(folder / "model", spec)
    learner = build(recipe.model_copy(update={"options": without_gone(recipe.options)}), spec, method)
    weights = best_weights(folder)
    try:
        learner.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise AtlasError(foreign(folder / "checkpoints", error)) from error
    return learner.to(pick_device(device)).eval()


def best_weights(folder: Path) -> dict[str, Tensor]:
    """A learner's state in a run's folder. Raises AtlasError where there is no sound checkpoint."""
    notes: list[str] = []
    found = Store(folder / "checkpoints").newest(notes.append, mend=False)
    if found is None:
        why = f" ({'; '.join(notes)})" if notes else ""
        raise AtlasError(
            f"{folder} has no sound checkpoint{why}; train it again: torchatlas train {folder / RECIPE}"
        )
    for note in notes:
        _warn(note)
    state = found[1]
    try:
        weights = state["best"].get("learner") if state["best"] else state["average"]
        return dict(weights or state["learner"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AtlasError(foreign(folder / "checkpoints", error)) from error


def runs_below(folder: Path) -> Iterator[Path]:
    """The run folders in a folder."""
    for path in sorted(folder.glob(f"*/{RECIPE}")):
        yield path.parent


def evaluate(run: str | Path, data: Any) -> dict[str, Estimate]:
    """The scores of a run's model on labelled data, with 95 % intervals over its samples."""
    return load(run).evaluate(data)


def predict(run: str | Path, data: Any, batch_size: int = 256) -> pd.DataFrame:
    """The predictions of a run's model for raw inputs, `batch_size` rows at a time."""
    return load(run).predict(data, batch_size)


def sample(run: str | Path, count: int = 16, seed: int = 0) -> np.ndarray[Any, Any]:
    """New data from a run's generative model."""
    return load(run).sample(count, seed)
