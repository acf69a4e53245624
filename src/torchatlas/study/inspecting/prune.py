"""`prune`: a trained model with most of its weights gone, trained on for a while."""

import inspect
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...cards.reader import get
from ...data.prepared import Prepared
from ...data.spec import Part
from ...engine.checkpoint import Store, replace_durably, unwritable
from ...engine.environment import environment, versions
from ...engine.errors import AtlasError, Interrupted, UsageError
from ...engine.learner import Learner
from ...engine.randomness import reseed
from ...engine.record import Listener, Record
from ...inspection.compression import density, make_permanent
from ..training.build import parameters_of
from ..training.intervals import Estimate, estimates, estimates_of
from ..training.loops import make_loop
from ..training.recipe import Recipe
from ..training.resolve import card_of, override
from ..training.run import (
    ENVIRONMENT,
    RECIPE,
    RECORD,
    Run,
    device_of,
    original_scale,
    own_scores,
    predict_tensor,
    predicts,
)
from ..training.scores import SCORES, main_score
from ..training.testing import finish
from .subject import chosen, opened, prepared_again

EPOCHS = 5.0
STOPPED = "pruned: its zeros would not stay in further training"


@dataclass
class Pruned:
    """A pruned run beside what it came from; each score with its 95 % interval over the test part."""

    run: Run
    metric: str
    kept: int
    weights: int
    original: Estimate
    pruned: Estimate  # before the training that followed
    tuned: Estimate

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "folder": str(self.run.folder),
            "metric": self.metric,
            "weights": self.weights,
            "kept": self.kept,
            **{name: getattr(self, name).as_json() for name in ("original", "pruned", "tuned")},
        }

    def text(self) -> str:
        """As lines for a terminal."""
        lines = [f"{self.kept:,} of {self.weights:,} weights are left ({self.kept / self.weights:.1%})"]
        told = {"as trained": self.original, "pruned": self.pruned, "trained on": self.tuned}
        for name, value in told.items():
            lines.append(f"{self.metric}, {name:12} {value:.4f}  ({value.low:.4f} to {value.high:.4f})")
        return "\n".join([*lines, f"run: {self.run.folder}"])


def prune(
    run: Run | str | Path,
    method: str = "pruning_magnitude",
    *,
    out: str | Path | None = None,
    epochs: float = EPOCHS,
    listeners: Sequence[Listener] = (),
    **settings: Any,
) -> Pruned:
    """Prune a trained run's model, train it on with the run's recipe, and score it before and after.

    epochs: of the training that follows; 0 for none. The checkpoint kept is the best by validation. settings:
    options of the pruning method (sparsity, scope), or fields of the recipe (lr, schedule …).
    out: a new run's folder, which `load`, `evaluate` and `predict` read as any other; by default the old
    one's name with "-pruned". Its weights have the zeros in them.
    Raises UsageError where the run's model is not one that is trained by gradients.
    """
    run = opened(run)
    if not isinstance(run.model, Learner):
        raise UsageError(
            f"{run.recipe.method} has no weights to prune: it is fitted, not trained by gradients"
        )
    words = {key: settings.pop(key) for key in inspect.signature(get(method)).parameters if key in settings}
    made = chosen("compression", method, words, ("model",))(run.model)
    recipe = _recipe(run.recipe, epochs, settings)
    folder = _folder(run, out)
    prepared = prepared_again(run)
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.set_num_threads(recipe.threads or threads)
            source = f"{method}({', '.join(f'{key}={value}' for key, value in words.items())})"
            return _tuned(run, made, recipe, prepared, folder, source, epochs > 0, listeners)
    finally:
        torch.set_num_threads(threads)


def _recipe(recipe: Recipe, epochs: float, settings: dict[str, Any]) -> Recipe:
    if epochs < 0:
        raise UsageError(f"epochs must be at least 0, not {epochs}")
    kept = recipe.model_copy(update={"data_fingerprint": None})
    changed = override(kept, {**settings, **({"epochs": epochs} if epochs else {})})
    found = {"data_fingerprint": recipe.data_fingerprint, "versions": versions()}
    return changed.model_copy(update=found)


def _folder(run: Run, out: str | Path | None) -> Path:
    if out is None and run.folder is None:
        raise UsageError("say where the pruned run goes: out=FOLDER")
    folder = Path(out) if out is not None else Path(f"{run.folder}-pruned")
    if (folder / RECIPE).exists():
        raise AtlasError(f"{folder} already holds a run: name another --out")
    return folder


def _tuned(
    run: Run,
    model: Learner,
    recipe: Recipe,
    prepared: Prepared,
    folder: Path,
    source: str,
    train: bool,
    listeners: Sequence[Listener],
) -> Pruned:
    assert prepared.test is not None and isinstance(run.model, Learner)
    began = time.monotonic()
    original, metric = _score(run, run.model, prepared.test)
    pruned, _ = _score(run, model, prepared.test)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error
    record = Record(folder / RECORD)
    record.rewind()
    card = card_of(recipe.method)
    loop = make_loop(recipe, prepared, card, None, [record, *listeners], method=lambda **options: model)
    if train:
        try:
            loop.run()
        except Interrupted as error:
            raise Interrupted("stopped; nothing was kept of it: prune again") from error
        finally:
            record.close()
        loop.restore_best()
    best = loop.best.get("step", loop.step)
    make_permanent(model)
    kept, weights = density(model)
    note = f"{source} of {run.folder or run.recipe.method}: {kept:,} of {weights:,} weights are left"
    state = {**loop.state(), "learner": model.state_dict(), "best": {}, "stopped": STOPPED}
    state["average"] = model.state_dict() if recipe.ema is not None else None
    _write(folder, recipe, prepared, state, loop.step, note)
    new = Run(recipe, model, prepared.preparation, prepared.spec, folder)
    facts: dict[str, Any] = {
        "steps": loop.step,
        "stopped": STOPPED,
        "best_step": best,
        "parameters": parameters_of(model),
        "pruned": {"from": str(run.folder or ""), "by": source, "kept": kept, "weights": weights},
        "notes": [note],
        "seconds": time.monotonic() - began,
    }
    finish(new, prepared, facts)
    return Pruned(new, metric, kept, weights, original, pruned, _score(new, model, prepared.test)[0])


def _write(
    folder: Path, recipe: Recipe, prepared: Prepared, state: dict[str, Any], step: int, note: str
) -> None:
    """The folder of a run, as `load` reads it; its recipe, which makes it one, comes last."""
    try:
        prepared.preparation.save(folder / "preparation")
        replace_durably(folder / ENVIRONMENT, json.dumps(environment(), indent=1).encode())
        Store(folder / "checkpoints").save(step, state)
        replace_durably(folder / RECIPE, f"# {note}\n{recipe.write()}".encode())
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def _score(run: Run, model: Learner, test: Part) -> tuple[Estimate, str]:
    """The score that the run is compared by, on a part, and its name."""
    if predicts(model) and run.spec.task in SCORES and test.y is not None:
        outputs = np.concatenate([predict_tensor(model, x).numpy() for x in test.x.split(512)])
        y, p = original_scale(run.preparation, test.y.cpu().numpy(), outputs)
        name = main_score(run.spec, run.recipe.metric)
        return estimates(run.spec, y, p)[name], name
    reseed(device_of(model), run.recipe.seed, "test")
    found = estimates_of(own_scores(model, test.to(device_of(model)), run.recipe.seed))
    if not found:
        raise UsageError(f"{run.recipe.method} has no score, so what pruning costs cannot be told")
    name = next((n for n in (run.recipe.metric, model.monitor) if n in found), next(iter(found)))
    return found[str(name)], str(name)
