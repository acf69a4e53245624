"""The trial: a batch through all that a run will call, so that what does not fit is told before it begins."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ...data.spec import Part, Spec
from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner
from ...learning.supervised.supervised import Supervised
from .faults import told
from .recipe import Recipe

TARGETS = {"classification": "classes", "multilabel": "labels", "regression": "targets"}


def try_out(
    learner: Learner,
    recipe: Recipe,
    spec: Spec,
    train: Part,
    valid: Part | None = None,
    first: Callable[[], Batch] | None = None,
) -> None:
    """Predict, lose and score the first rows; the learner and all randomness are afterwards what they were.

    `first` gives the first batch where it is not made of the first rows alone (augmentation). The losses are
    those of a step: its micro-batch, and the last batch of an epoch where that is shorter.
    Raises UsageError that says what was tried and what happened.
    """
    if not len(train):  # nothing to try: its learner lives through its data
        return
    name = recipe.method.rpartition(":")[2]
    size = min(recipe.batch_size, len(train))
    pieces = recipe.micro * (recipe.shards or 1)
    rows = -(-size // pieces)
    device = next((p.device for p in learner.parameters()), torch.device("cpu"))
    batch = tuple(tensor[:rows].to(device) for tensor in train.tensors())  # never the whole part twice
    with untouched(learner):
        learner.planned(1, 1)
        learner.eval()
        if spec.task in TARGETS:
            _try_outputs(learner, name, spec, batch[0])
        if valid is not None:
            _try_scores(learner, name, recipe, valid)
        if type(learner).source is Learner.source:  # a source of its own may be an environment: left alone
            learner.train()
            if first is not None:
                with told(f"augment={recipe.augment} failed on the first batch"):
                    batch = tuple(tensor[:rows] for tensor in first())
            _try_losses(learner, name, recipe, batch)
            rest = len(train) % size
            if rest and pieces == 1 and _reaches_the_rest(recipe, len(train) // size):
                _try_losses(learner, name, recipe, tuple(tensor[:rest] for tensor in batch))


def _reaches_the_rest(recipe: Recipe, whole: int) -> bool:
    """Whether a run goes beyond the whole batches of an epoch."""
    if recipe.steps is not None:
        return recipe.steps > whole
    return recipe.epochs is None or math.ceil(recipe.epochs * (whole + 1)) > whole


@contextmanager
def untouched(learner: Learner) -> Iterator[None]:
    """Whatever happens within: state, gradients, mode and random state are afterwards what they were."""
    tensors = [*learner.parameters(), *learner.buffers()]
    kept = [tensor.detach().clone() for tensor in tensors]
    modules = [(module, module.training, dict(module._buffers)) for module in learner.modules()]
    device = next((tensor.device for tensor in tensors), torch.device("cpu"))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            for module, training, buffers in modules:
                module.training = training
                module._buffers.clear()
                module._buffers.update(buffers)
            for tensor, value in zip(tensors, kept, strict=True):
                if not torch.equal(tensor, value):
                    tensor.data.copy_(value)
            learner.zero_grad(set_to_none=True)


@torch.no_grad()
def _try_outputs(learner: Learner, name: str, spec: Spec, x: Tensor) -> None:
    supervised = isinstance(learner, Supervised)
    if not supervised and type(learner).predict is Learner.predict:
        return
    with told(f"{name} cannot take this data (inputs of shape {_shape(x, x)})"):
        found: Any = learner.network(x) if isinstance(learner, Supervised) else learner.predict(x)
    wanted = getattr(learner.criterion, "outputs", spec.outputs) if supervised else spec.outputs
    what = f"{spec.outputs} {TARGETS[spec.task]}" if spec.outputs > 1 else f"one {TARGETS[spec.task][:-1]}"
    if not isinstance(found, Tensor):
        raise UsageError(f"{name} gives a {type(found).__name__}, not a tensor of (n, {wanted}) for {what}")
    flat = supervised and spec.task != "classification" and spec.outputs == 1 and found.shape == (len(x),)
    if found.shape != (len(x), wanted) and not flat:
        raise UsageError(
            f"{name} gives {_shape(found, x)} for this data's {what}, in place of (n, {wanted}); "
            "use the constructor's num_classes for its last layer: it is filled from the data"
        )


def _shape(tensor: Tensor, x: Tensor) -> str:
    """A shape in words, with n for the number of rows."""
    if tensor.ndim == 0 or len(tensor) != len(x):
        return str(tuple(tensor.shape))
    return f"(n, {', '.join(map(str, tensor.shape[1:]))})" if tensor.ndim > 1 else "(n,)"


def _try_losses(learner: Learner, name: str, recipe: Recipe, batch: Batch) -> None:
    loss_name = f" with loss {recipe.loss}" if recipe.loss else ""
    count = f"{len(batch[0])} row{'s' * (len(batch[0]) > 1)}"
    for player in learner.turns(0):
        with told(f"{name}{loss_name} failed on a trial batch of {count}"):
            result = learner.loss(player, batch)
        loss = result[0] if isinstance(result, tuple) else result
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            given = (
                f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"type {type(loss).__name__}"
            )
            raise UsageError(
                f"{name}{loss_name}: its loss must be one number, the batch's mean; it has {given}"
            )
        if not loss.requires_grad:
            raise UsageError(
                f"{name}{loss_name}: its loss has no gradient, so nothing can be learned from it"
            )


@torch.no_grad()
def _try_scores(learner: Learner, name: str, recipe: Recipe, valid: Part) -> None:
    trial = next(iter(learner.trials(valid, recipe.seed)))
    if type(learner).trials is Learner.trials:
        trial = tuple(tensor[: recipe.batch_size] for tensor in trial)
    with told(f"{name} failed when it scored {len(trial[0])} rows of the validation part"):
        for key, score in learner.scores(trial).items():
            if score.ndim != 1:
                raise UsageError(
                    f"{name}: its score {key} has shape {tuple(score.shape)}, not one per sample"
                )


def give_sizes(learner: Learner, spec: Spec) -> None:
    """Let lazy modules (`nn.LazyLinear` and its like) take their sizes from two rows of zeros."""
    if not _lazy(learner):
        return
    words = torch.long if spec.modality == "text" else torch.float32
    batch: tuple[Tensor, ...] = (torch.zeros(2, *spec.shape, dtype=words),)
    if spec.task != "none":
        whole = spec.task == "classification"
        batch += (torch.zeros(2, dtype=torch.long) if whole else torch.zeros(2, spec.outputs),)
    training = learner.training
    learner.eval()
    with told("its lazy modules cannot take their sizes from this data"), torch.no_grad():
        if isinstance(learner, Supervised):
            learner.network(batch[0])
        else:
            for player in learner.players:
                learner.loss(player, batch)
    learner.train(training)
    if left := _lazy(learner):
        raise UsageError(f"the lazy modules of {', '.join(left)} are never called, so they have no size")


def _lazy(learner: nn.Module) -> list[str]:
    found = [*learner.named_parameters(), *learner.named_buffers()]
    return [name for name, tensor in found if is_lazy(tensor)]
