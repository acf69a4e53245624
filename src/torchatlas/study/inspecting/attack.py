"""`attack`: how accurate a trained model is on images that were changed to fool it."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...cards.reader import get
from ...data.preprocessing import ImageEncoder
from ...engine.errors import UsageError
from ...engine.randomness import generator
from ..training.intervals import Estimate, estimates_of
from ..training.run import Run, device_of
from .pictures import write_sheet
from .subject import chosen, opened, rows_of, scores_of

EPSILONS = (0.01, 0.02, 0.05, 0.1, 0.2)
ROWS, SHOWN = 256, 8  # images attacked at a time; images in the picture
GIVEN = ("model", "x", "y", "low", "high", "generator", "targeted")


class Pixels(nn.Module):
    """A model of images whose pixels lie in 0..1, around one whose inputs are scaled."""

    mean: Tensor
    scale: Tensor

    def __init__(self, scores: nn.Module, encoder: ImageEncoder):
        super().__init__()
        self.scores = scores
        self.register_buffer("mean", torch.tensor(encoder.mean).view(-1, 1, 1))
        self.register_buffer("scale", torch.tensor(encoder.scale).view(-1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        answer: Tensor = self.scores((pixels - self.mean) / self.scale)
        return answer

    def of(self, x: Tensor) -> Tensor:
        """The pixels of scaled inputs."""
        return (x * self.scale + self.mean).clamp(0, 1)


@dataclass
class Level:
    """What one epsilon does."""

    epsilon: float
    attacked: Estimate  # accuracy on attacked images
    noise: Estimate  # accuracy with random signs of the same length in place of the attack


@dataclass
class Attacked:
    """What an attack did to a model: its accuracy without it and at each epsilon, with 95 % intervals."""

    method: str
    count: int
    clean: Estimate
    levels: list[Level] = field(default_factory=list)
    pictures: list[tuple[list[np.ndarray[Any, Any]], str]] = field(default_factory=list, repr=False)

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        levels = [
            {"epsilon": s.epsilon, "accuracy": s.attacked.as_json(), "noise": s.noise.as_json()}
            for s in self.levels
        ]
        return {
            "attack": self.method,
            "images": self.count,
            "clean": self.clean.as_json(),
            "levels": levels,
        }

    def text(self) -> str:
        """As lines for a terminal."""
        lines = [
            f"accuracy on {self.count} images: {_told(self.clean)}",
            f"{'epsilon':>8}  {self.method:24}random signs",
        ]
        lines += [f"{s.epsilon:8.4g}  {_told(s.attacked):24}{_told(s.noise)}" for s in self.levels]
        return "\n".join([*lines, "epsilon is a share of the brightest pixel; in brackets: 95 % intervals"])

    def write(self, path: Path) -> Path:
        """The first images that fooled the model, as a PNG."""
        return write_sheet(path, ("image", "attacked", "change"), self.pictures)


def attack(
    run: Run | str | Path,
    data: Any = None,
    method: str = "pgd",
    *,
    epsilon: float | Sequence[float] = EPSILONS,
    seed: int = 0,
    **options: Any,
) -> Attacked:
    """Attack a trained image classifier: its accuracy on its own test part, or on new labelled data.

    epsilon: one or several, on the scale of pixels from 0 to 1; images stay in that range, and the model's
    own scaling comes after. Images that were resized for the model are attacked at its size. seed: of random
    starts. options: the attack's.
    Raises UsageError where the run is no classifier of images that has a gradient.
    """
    run, sizes = opened(run), _sizes(epsilon)
    change = chosen("attack", method, options, GIVEN)
    encoder = run.preparation.encoder
    if not isinstance(encoder, ImageEncoder) or run.spec.task != "classification":
        raise UsageError(
            f"attacks are made for classifiers of images, and this run learned from {_what(run)}"
        )
    scores = scores_of(run)
    device = device_of(scores.model)
    model = Pixels(scores, encoder).to(device).eval()
    part = rows_of(run, data)
    if part.y is None:
        raise UsageError("an attack is measured on labelled data, and this has no classes")
    x, y = model.of(part.x.to(device)), part.y.to(device)
    right = _hits(model, x, y)
    found = Attacked(method, len(x), _share(right))
    draws = "generator" in inspect.signature(get(method)).parameters
    for size in sizes:
        moved = torch.cat(
            [
                _attacked(change, model, x[i : i + ROWS], y[i : i + ROWS], size, (seed, i) if draws else ())
                for i in range(0, len(x), ROWS)
            ]
        )
        signs = _like(moved - x, seed)
        hit = _hits(model, moved, y)
        found.levels.append(Level(size, _share(hit), _share(_hits(model, (x + signs).clamp(0, 1), y))))
        if not found.pictures or size == sizes[-1]:
            fooled = (right & ~hit).nonzero()[:SHOWN, 0]
            rows = fooled if len(fooled) else torch.arange(min(SHOWN, len(x)), device=device)
            found.pictures = _pictures(run, model, x[rows], moved[rows], y[rows], size)
    return found


def _sizes(epsilon: float | Sequence[float]) -> list[float]:
    sizes: list[Any] = list(epsilon) if isinstance(epsilon, list | tuple) else [epsilon]
    good = sizes and all(isinstance(s, int | float) and not isinstance(s, bool) and s >= 0 for s in sizes)
    if not good:
        raise UsageError(f"epsilon={epsilon!r} must be a number of at least 0, or several: (0.05, 0.1)")
    return sorted(float(size) for size in sizes)


def _what(run: Run) -> str:
    task = "" if run.spec.task in ("none", "language", "control") else f" for {run.spec.task}"
    return f"{'images' if run.spec.modality == 'image' else run.spec.modality}{task}"


def _attacked(
    change: Callable[..., Tensor], model: nn.Module, x: Tensor, y: Tensor, size: float, key: tuple[int, ...]
) -> Tensor:
    words = {"generator": generator(*key, "attack")} if key else {}
    return change(model, x, y, epsilon=size, low=0.0, high=1.0, **words)


def _like(change: Tensor, seed: int) -> Tensor:
    """Random signs as long as each row's change: what no thought would do."""
    drawn = torch.rand(change.shape, generator=generator(seed, "signs")).to(change) - 0.5
    length = change.flatten(1).norm(dim=1) / drawn[0].numel() ** 0.5
    return drawn.sign() * length.view(-1, 1, 1, 1)


@torch.no_grad()
def _answers(model: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([model(rows).argmax(1) for rows in x.split(ROWS)])


def _hits(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return _answers(model, x) == y


def _share(hits: Tensor) -> Estimate:
    return estimates_of({"accuracy": hits.cpu().double().numpy()})["accuracy"]


def _told(estimate: Estimate) -> str:
    return f"{estimate:.3f}  ({estimate.low:.3f} to {estimate.high:.3f})"


def _pictures(
    run: Run, model: nn.Module, x: Tensor, moved: Tensor, y: Tensor, size: float
) -> list[tuple[list[np.ndarray[Any, Any]], str]]:
    """Image, attacked image and their difference (grey is none), with the class before and after."""
    change = (moved - x) / (2 * max(float((moved - x).abs().max()), 1e-12)) + 0.5
    columns = [
        (v.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy() for v in (x, moved, change)
    ]
    names, seen, now = run.spec.classes, _answers(model, x).tolist(), _answers(model, moved).tolist()
    words = [
        f"class {names[k]}\nseen as {names[a]}\nattacked: {names[b]}\nepsilon {size:.4g}"
        for k, a, b in zip(y.tolist(), seen, now, strict=True)
    ]
    return [([column[i] for column in columns], text) for i, text in enumerate(words)]
