"""What a report is made of: plain data, no torch."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..verdict.model import Verdict

Image = NDArray[np.uint8]  # (height, width), (height, width, 1) or (height, width, 3)


@dataclass
class Worst:
    """A test sample that a run got most wrong: its image, or the cells of its row."""

    truth: str
    prediction: str
    confidence: float  # of the prediction; for regression the error in the target's unit
    image: Image | None = None
    cells: dict[str, str] | None = None


@dataclass
class RunResult:
    """One method with one seed. `curve` has one dict per validation: step, epoch, train_…, valid_…."""

    seed: int
    scores: dict[str, float] = field(default_factory=dict)  # on the test part
    curve: list[dict[str, float]] = field(default_factory=list)
    error: str | None = None  # why it failed
    steps: int = 0
    seconds: float | None = None
    confusion: NDArray[np.int64] | None = None  # (classes, classes): rows are the truth
    worst: list[Worst] = field(default_factory=list)
    predicted: NDArray[np.float64] | None = None  # regression: (test samples, 2), truth and prediction
    returns: NDArray[np.float64] | None = None  # agents: of each test episode
    samples: list[Image | str] = field(default_factory=list)  # what a generative learner makes
    train_scores: dict[str, float] = field(default_factory=dict)  # on rows that it learned from


@dataclass
class MethodResult:
    """One method over all seeds, and what it costs."""

    name: str
    label: str
    parameters: int | None = None
    macs: int | None = None  # multiply-adds of one sample
    seconds: float | None = None  # training, alone on the machine
    latency_ms: float | None = None  # one sample
    settings: dict[str, Any] = field(default_factory=dict)
    runs: list[RunResult] = field(default_factory=list)
    baseline: bool = False
    unknown_cost: str = ""  # why it could not be measured


@dataclass
class DataSummary:
    """The data in a few numbers. `counts` holds samples per class."""

    name: str
    task: str
    modality: str
    shape: tuple[int, ...]
    n_train: int
    n_valid: int
    n_test: int
    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    notes: list[str] = field(default_factory=list)


@dataclass
class StudyResult:
    """A comparison: everything that its report says."""

    title: str
    question: str  # what was compared on which data
    data: DataSummary
    metric: str
    higher_is_better: bool
    methods: list[MethodResult]
    verdict: Verdict
    baselines: list[MethodResult] = field(default_factory=list)
    budget: str = ""
    tuning: str = ""
    split: str = ""  # how the test part came about
    recipe_yaml: str = ""
    command: str = ""  # repeats the study
    unrepeatable: str = ""  # why no command does
    environment: dict[str, Any] = field(default_factory=dict)
    created: str | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass
class RunReport:
    """One run: everything that its report says. `method.runs` holds that run alone."""

    title: str
    data: DataSummary
    metric: str
    higher_is_better: bool
    method: MethodResult
    baselines: list[MethodResult] = field(default_factory=list)
    budget: str = ""
    recipe_yaml: str = ""
    command: str = ""
    unrepeatable: str = ""  # why no command repeats it
    environment: dict[str, Any] = field(default_factory=dict)
    created: str | None = None
    warnings: list[str] = field(default_factory=list)
