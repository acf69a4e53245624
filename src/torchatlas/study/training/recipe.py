"""The recipe: everything that determines a run, as plain values; `run.yaml` holds it whole."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...engine.errors import UsageError

FORMAT = 1


class Recipe(BaseModel):
    """A run, resolved: running the same recipe again gives the same record, clock fields aside."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    format: int = FORMAT
    method: str
    options: dict[str, Any] = Field(default_factory=dict)  # of the method's constructor
    data: str
    data_options: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    epochs: float | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)
    minutes: float | None = Field(None, gt=0)
    batch_size: int = Field(64, gt=0)
    micro: int = Field(1, gt=0)
    optimizer: str = "adam"
    lr: float | None = Field(None, gt=0)
    optimizer_options: dict[str, Any] = Field(default_factory=dict)
    schedule: str | None = None
    loss: str | None = None
    sampler: str | None = None
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
    metric: str | None = None
    device: str = "auto"
    threads: int | None = Field(None, gt=0)
    data_fingerprint: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    def write(self) -> str:
        """As YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


RESOLVED = ("format", "method", "options", "data", "data_options", "data_fingerprint", "versions")
SETTABLE = tuple(name for name in Recipe.model_fields if name not in RESOLVED)


def read_recipe(path: Path) -> Recipe:
    """The recipe of a `run.yaml`. Raises UsageError that names the field at fault."""
    try:
        return Recipe(**yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise UsageError(f"{path} is not a recipe that can be read: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{path}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, in words."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}={problem.get('input')!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
