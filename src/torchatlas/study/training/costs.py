"""What a trained model costs: parameters, multiply-adds, latency, and training time alone on the machine."""

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from ...data.spec import Dataset
from ...engine.errors import AtlasError
from ...engine.learner import Learner
from ...inspection.cost import count_macs
from .build import parameters_of
from .classical import Classical
from .inputs import prepare
from .loops import make_loop
from .recipe import Recipe
from .resolve import card_of
from .run import device_of, predict_tensor

TRIAL_SECONDS, TRIAL_STEPS, WARM_UP = 1.0, 200, 5


@dataclass(frozen=True)
class Costs:
    """What one method costs; None where it does not apply."""

    parameters: int | None = None
    macs: int | None = None  # multiply-adds of one sample through convolutions and matrix products
    latency_ms: float | None = None  # one sample, median of up to 50
    step_seconds: float | None = None  # one training step, mean


def costs_of(model: Learner | Classical, sample: Tensor) -> Costs:
    """Counts and latency for one prepared sample of shape (1, ...)."""
    if isinstance(model, Classical):
        return Costs(latency_ms=latency(model, sample))
    if type(model).predict is Learner.predict:
        return Costs(parameters=parameters_of(model))
    return Costs(parameters_of(model), macs(model, sample), latency(model, sample))


def macs(model: Learner, sample: Tensor) -> int:
    """Multiply-adds of a prediction."""
    return count_macs(model, sample.to(device_of(model)), call="predict").total


def latency(model: Learner | Classical, sample: Tensor) -> float:
    """Milliseconds from one prepared sample to its prediction."""
    times: list[float] = []
    end = time.perf_counter() + TRIAL_SECONDS / 2
    while len(times) < 50 and (time.perf_counter() < end or len(times) < 5):
        start = time.perf_counter()
        predict_tensor(model, sample)
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def step_seconds(recipe: Recipe, dataset: Dataset, method: Any = None) -> float | None:
    """Seconds per training step within its own budget, tried on a fresh learner with nothing else running."""
    card = card_of(recipe.method if method is None else method)
    recipe = recipe.model_copy(update={"threads": None, "valid": 0.0, "data_fingerprint": None})
    loop = make_loop(recipe, prepare(recipe, card, dataset, method), card, None, method=method)
    loop.learner.train()
    try:
        with torch.random.fork_rng(devices=[]):
            for _ in range(min(WARM_UP, loop.plan.steps // 2)):
                loop._one_step()
            start = time.perf_counter()
            end, count = start + TRIAL_SECONDS, 0
            while count < TRIAL_STEPS and loop.step < loop.plan.steps and time.perf_counter() < end:
                loop._one_step()
                count += 1
            return (time.perf_counter() - start) / count
    except AtlasError:  # it diverges on all of the training data: its runs tell of that, not its cost
        return None
