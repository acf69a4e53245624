"""The test part, touched once at the end of a run: predictions, scores, result."""

import hashlib
from typing import Any

import numpy as np
from safetensors.numpy import save as to_bytes

from ... import data as sources
from ...data.prepared import drawn
from ...data.spec import Part
from ...engine.checkpoint import replace_durably, seal, unwritable
from ...engine.errors import AtlasError
from ...engine.learner import Learner
from ...engine.randomness import reseed
from ...engine.record import read_record
from .run import (
    RECORD,
    RECORDS,
    RESULT,
    TEST,
    TEST_SUM,
    Run,
    device_of,
    original_scale,
    own_scores,
    predict_tensor,
    predicts,
)
from .scores import SCORES, main_score, score_all

OWN = "own."  # before the names of a learner's own scores, in the arrays of a run's test part
SCORED = 5_000  # training rows that are scored at most


def finish(run: Run, prepared: sources.Prepared, facts: dict[str, Any]) -> Run:
    """Score the test part, and write what the run came to."""
    if prepared.test is not None:
        _score(run, prepared.test)
    run.result = {
        "scores": run.scores,
        "train_scores": _train_scores(run, prepared.train),
        "metric": _metric(run),
        "parts": {n: len(p) for n in ("train", "valid", "test") if (p := getattr(prepared, n)) is not None},
        "notes": [
            *prepared.notes,
            *(f.message for f in prepared.findings if f.severity == "warning"),
            *facts.pop("notes", ()),
        ],
        **{key: value for key, value in facts.items() if key not in ("seconds", "clock")},
        "clock": {"seconds": round(facts["seconds"], 3), **facts.get("clock", {})},
    }
    if run.folder is not None:
        try:
            if run.test:
                content = to_bytes(run.test)
                run.result[TEST_SUM] = hashlib.sha256(content).hexdigest()
                replace_durably(run.folder / TEST, content)
            run.history = read_record(run.folder / RECORD)
            run.result[RECORDS] = len(run.history)
            replace_durably(run.folder / RESULT, seal(run.result))
        except OSError as error:
            raise AtlasError(unwritable(run.folder, error)) from error
    if isinstance(run.model, Learner):
        run.model.eval()
    return run


def _score(run: Run, test: Part) -> None:
    if _can_predict(run, test):
        y, p = _predicted(run, test)
        run.scores = score_all(run.spec, y, p)
        run.test = {"y": np.ascontiguousarray(y), "prediction": np.ascontiguousarray(p), "rows": test.rows}
    elif isinstance(run.model, Learner):
        device = device_of(run.model)
        reseed(device, run.recipe.seed, "test")
        found = own_scores(run.model, test.to(device), run.recipe.seed)
        run.scores = {name: float(values.mean()) for name, values in found.items()}
        if found:
            run.test = {OWN + name: values for name, values in found.items()} | {
                "rows": np.asarray(test.rows)
            }


def _train_scores(run: Run, train: Part) -> dict[str, float]:
    """The scores of rows that the model learned from, for the gap to the test part; many rows by a sample."""
    if not (_can_predict(run, train) and len(train)):
        return {}
    rows = drawn(np.arange(len(train)), SCORED, run.recipe.seed, "train scores")
    return score_all(run.spec, *_predicted(run, train.at(rows)))


def _can_predict(run: Run, part: Part) -> bool:
    return run.spec.task in SCORES and part.y is not None and predicts(run.model)


def _predicted(run: Run, part: Part) -> tuple[Any, Any]:
    """Targets and predictions of a part, on the scale of the raw data."""
    assert part.y is not None
    p = np.concatenate([predict_tensor(run.model, x).numpy() for x in part.x.split(512)])
    return original_scale(run.preparation, part.y.cpu().numpy(), p)


def _metric(run: Run) -> str:
    """The score that runs are compared by: the wish, the task's first, or the learner's own."""
    wish = run.recipe.metric
    if "prediction" in run.test:
        return main_score(run.spec, wish)
    if wish in run.scores:
        return str(wish)
    own = run.model.monitor if isinstance(run.model, Learner) else ""
    return own if own in run.scores else next(iter(run.scores), "loss")
