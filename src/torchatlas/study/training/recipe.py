"""The recipe: everything that determines a run, as plain values; `run.yaml` holds it whole."""

import hashlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...engine.errors import UsageError

FORMAT = 1
RECIPE = "run.yaml"  # in a run's folder
SEAL = "# sha256 of what follows: "


class Recipe(BaseModel):
    """A run, resolved: running the same recipe again gives the same record, clock fields aside."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    format: int = FORMAT
    method: str
    options: dict[str, Any] = Field(default_factory=dict)  # of the method's constructor
    data: str
    data_options: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    start: str | None = (
        None  # weights to start from: a run's folder, FILE.safetensors, timm:NAME, torchvision:NAME
    )
    freeze: str | None = (
        None  # parts of the network that stay as they are: stem,stage1 or stem-stage2 or body
    )
    epochs: float | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)
    minutes: float | None = Field(None, gt=0)
    batch_size: int = Field(64, gt=0)
    micro: int = Field(1, gt=0)
    shards: int | None = Field(None, gt=0)  # None: as many as processes
    shard_model: bool = False  # each process keeps its part of the weights (FSDP2)
    numerics: str = "auto"  # auto, exact, or words such as bfloat16+channels_last
    optimizer: str = "adam"
    lr: float | None = Field(None, gt=0)
    layer_decay: float | None = Field(None, gt=0, le=1)  # of the rate, from part to part down from the head
    optimizer_options: dict[str, Any] = Field(default_factory=dict)
    schedule: str | None = None
    loss: str | None = None
    sampler: str | None = None
    augment: str | None = None  # of training batches: names joined by +
    penalty: str | None = None  # added to the loss in training: names joined by +
    clip: float | None = Field(None, gt=0)
    ema: float | None = Field(None, ge=0, lt=1)
    patience: int | None = Field(None, gt=0)
    validate_every: int = Field(0, ge=0)
    log_every: int = Field(50, gt=0)
    save_every: float | None = Field(60.0, gt=0)
    save_every_steps: int | None = Field(None, gt=0)
    split: str = "auto"
    test: float = Field(0.2, gt=0, lt=1)
    valid: float = Field(0.15, ge=0, lt=1)
    fold: tuple[int, int] | None = None
    labels: int | None = Field(None, gt=0)  # how many training rows show their targets; None: all
    imbalance: float | None = Field(None, ge=1)  # training rows of the first class over those of the last
    metric: str | None = None
    device: str = "auto"
    threads: int | None = Field(None, gt=0)
    chosen: dict[str, Any] | None = None  # the numerics that auto came to, and what it measured
    started: dict[str, Any] | None = None  # the checksum of the weights it started from, and what they are
    data_fingerprint: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    def write(self) -> str:
        """As YAML, below a line with its checksum."""
        text = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        return f"{SEAL}{_sum_of(text)}\n{text}"


RESOLVED = (
    *("format", "method", "options", "data", "data_options"),
    *("chosen", "started", "data_fingerprint", "versions"),
)
SETTABLE = tuple(name for name in Recipe.model_fields if name not in RESOLVED)


def read_recipe(path: Path) -> Recipe:
    """The recipe of a `run.yaml`. Raises UsageError that names the field at fault."""
    try:
        return Recipe(**yaml.safe_load(path.read_text()))
    except ValidationError as error:
        raise UsageError(f"{path}: {first_problem(error)}") from error
    except (OSError, yaml.YAMLError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise UsageError(f"{path} is not a recipe that can be read: {why}") from error


def recipe_of(run: Path) -> Recipe:
    """The recipe that a run's folder was begun with. Raises UsageError where its file was changed since."""
    path = run / RECIPE
    head, _, text = path.read_bytes().partition(b"\n")
    told = head.decode(errors="replace").removeprefix(SEAL)
    if told not in (head.decode(errors="replace"), _sum_of(text)):
        raise UsageError(
            f"{path} is not as it was written: its checksum differs. A run keeps its recipe: put the old "
            f"file back, or train anew by the recipe as it is now: torchatlas train {path} --out ANOTHER"
        )
    return read_recipe(path)


def _sum_of(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def first_problem(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, in words."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}={problem.get('input')!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
