"""`explain`: what a trained model's answer hangs on, as maps over images or bars over features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...data.preprocessing import ImageEncoder, TableEncoder
from ...engine.errors import UsageError
from ..training.run import Run, device_of
from .pictures import coloured, write_sheet
from .subject import chosen, opened, rows_of, scores_of

SHOWN, BARS, WIDTH = 8, 20, 40  # rows by default; features in the list of bars; the longest bar
Array = np.ndarray[Any, Any]


@dataclass
class Explained:
    """Maps of rows: how much the model's answer hangs on each pixel, or feature."""

    method: str
    rows: list[int]  # places in the part that was looked at
    maps: Array  # (n, height, width) or (n, features)
    names: tuple[str, ...]  # of a table's features
    images: Array | None  # (n, height, width, channels) of bytes
    answers: list[str]  # what the model sees
    truths: list[str]  # the class, where the data has them

    def as_json(self) -> dict[str, Any]:
        """As plain values; maps of images are left out (they are in `maps`)."""
        told = {"explanation": self.method, "rows": self.rows, "seen": self.answers, "class": self.truths}
        return told if self.images is not None else {**told, "features": dict(self.features())}

    def features(self) -> list[tuple[str, float]]:
        """A table's features by their mean over the rows, the weightiest first."""
        means = self.maps.mean(0)
        order = np.argsort(-means, kind="stable")
        return [(self.names[k], float(means[k])) for k in order]

    def text(self) -> str:
        """A table's features as bars."""
        found = self.features()[:BARS]
        longest, most = max(len(name) for name, _ in found), max(found[0][1], 1e-30)
        bars = [
            f"{name:{longest}}  {value:9.4g}  {'█' * round(WIDTH * value / most)}" for name, value in found
        ]
        more = [f"… and {len(self.names) - BARS} more"] * (len(self.names) > BARS)
        head = f"{self.method}, mean of {len(self.rows)} rows; features as they are scaled for the model"
        return "\n".join([head, *bars, *more])

    def write(self, path: Path) -> Path:
        """The maps beside their images as a PNG; each map is as bright as its largest value allows."""
        if self.images is None:
            raise UsageError("a table has no picture: its features are printed; leave --out away")
        pictures = []
        for n, (image, one) in enumerate(zip(self.images, self.maps, strict=True)):
            truth = f"class {self.truths[n]}\n" if self.truths else ""
            words = f"row {self.rows[n]}\n{truth}seen as {self.answers[n]}"
            pictures.append(([image, coloured(one / max(float(one.max()), 1e-30))], words))
        return write_sheet(path, ("image", self.method), pictures)


def explain(
    run: Run | str | Path,
    data: Any = None,
    method: str = "saliency",
    *,
    rows: Sequence[int] | None = None,
    **options: Any,
) -> Explained:
    """Explain a trained model's answers for rows of its test part, or of new data.

    rows: their places in it, the first eight of images and all of a table by default. Explained is the class
    or label that the model is surest of (of regression, the first value), on inputs as the model takes them.
    Raises UsageError for rows that are not there, and for models without a gradient.
    """
    run = opened(run)
    explanation = chosen("explanation", method, options, ("model", "x", "y"))
    encoder, scores = run.preparation.encoder, scores_of(run)
    if not isinstance(encoder, ImageEncoder | TableEncoder):
        raise UsageError(f"images and tables can be explained, and this run learned from {run.spec.modality}")
    part = rows_of(run, data)
    image = isinstance(encoder, ImageEncoder)
    places = list(range(min(len(part), SHOWN) if image else len(part))) if rows is None else list(rows)
    wrong = [place for place in places if not 0 <= place < len(part)]
    if wrong or not places:
        raise UsageError(f"there is no row {wrong[0] if wrong else ''}: rows are 0 to {len(part) - 1}")
    x = part.x[places].to(device_of(scores.model))
    y = torch.zeros(len(x), dtype=torch.long, device=x.device) if run.spec.task == "regression" else None
    maps = explanation(scores.eval(), x, y)
    return Explained(
        method,
        places,
        maps.cpu().numpy(),
        encoder.names if isinstance(encoder, TableEncoder) else (),
        encoder.restore(x) if isinstance(encoder, ImageEncoder) else None,
        _words(run, _answers(run, scores, x)),
        [] if part.y is None else _words(run, part.y[places].numpy()),
    )


@torch.no_grad()
def _answers(run: Run, scores: Any, x: torch.Tensor) -> Array:
    found = scores(x).argmax(1) if run.spec.task == "classification" else scores.model.predict(x)
    answers: Array = found.cpu().numpy()
    return answers


def _words(run: Run, values: Array) -> list[str]:
    """Classes by their names; other targets as the user knows them."""
    if run.spec.task == "classification":
        return [run.spec.classes[k] for k in values.tolist()]
    table = run.preparation.decode(values.reshape(len(values), -1))
    return [
        ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row)
        for row in table.itertuples(index=False)
    ]
