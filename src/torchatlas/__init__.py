"""An atlas of deep learning for PyTorch: every method under one API, proven, and compared on your own data.

The folders are the map of the field. Nothing heavy is imported until a shelf or a verb is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .cards.reader import catalog as catalog, create as create, find as find, get as get

if TYPE_CHECKING:
    from . import (
        data as data,
        engine as engine,
        estimators as estimators,
        generative as generative,
        inspection as inspection,
        learning as learning,
        losses as losses,
        metrics as metrics,
        networks as networks,
        nn as nn,
        optim as optim,
        study as study,
    )

__version__ = "0.1.0"
SHELVES = (
    "data",
    "engine",
    "nn",
    "optim",
    "losses",
    "metrics",
    "networks",
    "generative",
    "learning",
    "inspection",
    "study",
    "estimators",
)
VERBS = {
    "train": "study.training.train",
    "compare": "study.comparing.compare",
    "load": "study.training.run",
    "evaluate": "study.training.run",
    "predict": "study.training.run",
    "sample": "study.training.run",
    "report": "study.comparing.reports",
    "doctor": "study.doctor",
    "attack": "study.inspecting.attack",
    "explain": "study.inspecting.explain",
    "prune": "study.inspecting.prune",
    "export": "study.inspecting.export",
    "load_weights": "networks.weights",
    "verify": "study.verify.verify",
}


def __getattr__(name: str) -> Any:
    if name in SHELVES:
        return import_module(f"{__name__}.{name}")
    if name in VERBS:
        return getattr(import_module(f"{__name__}.{VERBS[name]}"), name)
    raise AttributeError(f"torchatlas has no {name!r}; it has {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return ["__version__", "catalog", "create", "find", "get", *SHELVES, *VERBS]
