"""A comparison as rows for a table and as JSON, and back."""

import base64
import io
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from PIL import Image as Pillow

from ..verdict.model import MethodScore, Pair, Verdict
from .model import DataSummary, Image, MethodResult, RunResult, StudyResult, Worst

FORMAT = 1
PNG = "data:image/png;base64,"


def results_rows(study: StudyResult) -> list[dict[str, Any]]:
    """One row per method (by its label) and seed, for `results.csv`; settings are columns `set.KEY`."""
    rows = []
    for method in [*study.methods, *study.baselines]:
        costs = {key: getattr(method, key) for key in ("parameters", "macs", "latency_ms")}
        settings = {f"set.{key}": value for key, value in method.settings.items()}
        for run in method.runs:
            ended = {"steps": run.steps, "seconds": run.seconds, "error": run.error}
            row = {"method": method.label, "seed": run.seed, "baseline": method.baseline}
            rows.append({**row, **run.scores, **ended, **costs, **settings})
    return rows


def as_json(study: StudyResult) -> dict[str, Any]:
    """Everything that the report says, ready for `json.dump`: NaN is null, images are PNG data addresses."""
    return {"format": FORMAT, **_plain(study)}


def from_json(data: dict[str, Any]) -> StudyResult:
    """What `as_json` wrote."""
    found = {key: value for key, value in data.items() if key != "format"}
    verdict = dict(found["verdict"])
    verdict["methods"] = tuple(_filled(MethodScore, m) for m in verdict["methods"])
    verdict["pairs"] = tuple(_filled(Pair, p) for p in verdict["pairs"])
    summary = dict(found["data"])
    summary |= {key: tuple(summary[key]) for key in ("shape", "classes", "counts")}
    found |= {"verdict": Verdict(**verdict), "data": DataSummary(**summary)}
    for group in ("methods", "baselines"):
        found[group] = [MethodResult(**{**m, "runs": [_run(r) for r in m["runs"]]}) for m in found[group]]
    return StudyResult(**found)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _encoded(value) if value.dtype == np.uint8 else _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _run(data: dict[str, Any]) -> RunResult:
    return RunResult(
        **{
            **data,
            "scores": {key: _number(value) for key, value in data["scores"].items()},
            "curve": [{key: _number(value) for key, value in entry.items()} for entry in data["curve"]],
            "confusion": _given(np.array, data["confusion"]),
            "predicted": _given(lambda rows: np.array(rows, dtype=float), data["predicted"]),
            "returns": _given(lambda rows: np.array(rows, dtype=float), data.get("returns")),
            "worst": [_worst(example) for example in data["worst"]],
            "samples": [_decoded(one) if one.startswith(PNG) else one for one in data["samples"]],
        }
    )


def _worst(data: dict[str, Any]) -> Worst:
    return Worst(
        **{**data, "confidence": _number(data["confidence"]), "image": _given(_decoded, data["image"])}
    )


def _filled(kind: type[Any], data: dict[str, Any]) -> Any:
    return kind(**{key: _number(value) for key, value in data.items()})


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _given(function: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else function(value)


def _encoded(image: Image) -> str:
    squeezed = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    buffer = io.BytesIO()
    Pillow.fromarray(squeezed).save(buffer, "PNG")
    return PNG + base64.b64encode(buffer.getvalue()).decode()


def _decoded(address: str) -> Image:
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(address.removeprefix(PNG)))))
