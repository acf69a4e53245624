"""The NaN guard: what is not finite stops the run before the weights move, and leaves evidence."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from .checkpoint import read_state, replace_durably, write_state
from .errors import AtlasError
from .gradient import Gradient, Key
from .learner import Batch, Learner, told_apart
from .numerics import EXACT, Numerics
from .randomness import reseed

CURE = "Try a smaller learning rate (--set lr=...) or clip the gradient (--set clip=1.0)"


WIDER = {torch.half: torch.float32, torch.bfloat16: torch.float32}  # a sum of halves overflows too soon


def all_finite(loss: Tensor, gradients: list[Tensor]) -> bool:
    """Whether the loss and every gradient are finite: sums are not, where one term is not.

    Sums are the cheapest look on a CPU, where reading a number waits for nothing; elsewhere one is read.
    """
    if loss.device.type == "cpu":
        total = loss.item()
        for gradient in gradients:
            total += gradient.sum(dtype=WIDER.get(gradient.dtype)).item()
        return math.isfinite(total)
    return bool(finite(loss, gradients).item())


def finite(loss: Tensor, gradients: list[Tensor]) -> Tensor:
    """The same as a tensor on the device, which nobody waits for."""
    sums = [gradient.sum(dtype=WIDER.get(gradient.dtype)) for gradient in gradients]
    return torch.stack([loss, *sums]).sum().isfinite()


def total_norm(gradients: list[Tensor]) -> Tensor:
    """The length of all gradients taken as one vector."""
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if norm.device.type != "cpu" or norm.isfinite():  # elsewhere reading it would wait for the device
        return norm
    return torch.linalg.vector_norm(torch.stack([gradient.double().norm() for gradient in gradients]))


class Finding(Exception):
    """Leaves the forward or backward pass at the first module at fault."""

    def __init__(self, module: str, what: str):
        super().__init__(f"{module}: {what}")
        self.module, self.what = module, what


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors that can be looked at; within `torch.func`'s transforms (MAML's tasks) none can."""
    if isinstance(value, Tensor):
        if not is_functorch_wrapped_tensor(value):
            yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _bad(value: Any) -> bool:
    return any(t.is_floating_point() and not t.isfinite().all() for t in _tensors(value))


@contextmanager
def _watch(learner: nn.Module) -> Iterator[None]:
    """Raise Finding at the first module whose output, or input gradient, is not finite while what it got is.

    Gradients are watched at tensors, not by module hooks: those refuse modules that work in place.
    """
    healthy: set[str] = set()  # modules whose output's gradient has come back finite

    def before(name: str) -> Callable[..., None]:
        def gradient(g: Tensor) -> None:
            if _bad(g) and name in healthy:
                raise Finding(name, "the gradient with respect to its input is not finite")

        def hook(module: nn.Module, given: Any) -> None:
            for tensor in _tensors(given):
                if tensor.requires_grad:
                    tensor.register_hook(gradient)

        return hook

    def after(name: str) -> Callable[..., None]:
        def gradient(g: Tensor) -> None:
            if not _bad(g):
                healthy.add(name)

        def hook(module: nn.Module, given: Any, output: Any) -> None:
            if _bad(output):
                broken = [n for n, p in module.named_parameters(recurse=False) if _bad(p)]
                cause = f"its parameter {broken[0]} is not finite" if broken else "its output is not finite"
                raise Finding(name, cause)
            for tensor in _tensors(output):
                if tensor.requires_grad:
                    tensor.register_hook(gradient)

        return hook

    leaves = [
        (name, module) for name, module in learner.named_modules() if name and not list(module.children())
    ]
    handles = [module.register_forward_pre_hook(before(name)) for name, module in leaves]
    handles += [module.register_forward_hook(after(name)) for name, module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def find_source(learner: Learner, player: str, batch: Batch, numerics: Numerics = EXACT) -> tuple[str, str]:
    """(module, what happened) for a turn whose loss or gradient is not finite; runs the turn once more."""
    if _bad(batch):
        return "batch", "the data of this batch is not finite"
    learner.zero_grad(set_to_none=True)
    try:
        with _watch(learner), numerics.cast(batch[0].device):
            result = learner.loss(player, batch)
            loss, _ = told_apart(result)
            if _bad(loss):
                return "loss", "every module's output is finite, the loss itself is not"
            loss.backward()
    except Finding as found:
        return found.module, found.what
    for name, parameter in reversed(
        list(learner.named_parameters())
    ):  # the backward pass meets the last first
        if parameter.grad is not None and _bad(parameter.grad):
            return name, "the gradient of this parameter is not finite"
    return "", "the turn is finite when run again"


def investigate(
    gradient: Gradient, player: str, batch: Batch, key: Key, safe: list[Tensor], folder: Path | None
) -> str:
    """The message for a turn that was not finite: the first part and module at fault.

    `safe` is what the buffers held before the turn. With a folder, state and part are
    left there for a replay.
    """
    learner, step = gradient.learner, key[1]
    found = None
    for i, part, _ in gradient.parts(gradient.numerics.laid(batch), range(gradient.shards)):
        noise = (*key, i, "noise")
        for buffer, kept in zip(gradient.buffers, safe, strict=True):
            buffer.data.copy_(kept)
        reseed(gradient.device, *noise)
        module, what = find_source(learner, player, part, gradient.numerics)
        if module or found is None:
            found = noise, part, module, what
        if module:
            break
    assert found is not None
    noise, part, module, what = found
    where = f"First at fault: {module or 'unknown'} ({what}). {CURE}"
    if folder is None:
        return f"step {step}: the loss or a gradient is not finite. {where}"
    for buffer, kept in zip(gradient.buffers, safe, strict=True):
        buffer.data.copy_(kept)
    target = folder / f"step-{step:08d}"
    shutil.rmtree(target, ignore_errors=True)
    write_state(target, {"learner": learner.state_dict(), "batch": part})
    facts = {"step": step, "player": player, "key": list(noise), "module": module, "what": what}
    facts["numerics"] = gradient.numerics.as_dict()
    replace_durably(target / "failure.json", json.dumps(facts, indent=1).encode())
    return (
        f"step {step}: the loss or a gradient is not finite; the run stopped before the weights changed. "
        f"{where}. Replay this step with: torchatlas train --replay {target}"
    )


def replay(folder: Path, learner: Learner) -> tuple[str, str]:
    """Run the failed turn of a `failure/step-N` folder again; the module at fault and what happened."""
    try:
        facts = json.loads((folder / "failure.json").read_text())
    except (OSError, ValueError) as error:
        raise AtlasError(
            f"{folder} holds no failure to replay: give the folder that the failed run printed"
        ) from error
    state = read_state(folder)
    learner.load_state_dict(state["learner"])
    learner.train()
    numerics = Numerics.of(facts.get("numerics", {}))
    numerics.place(learner)
    reseed("cpu", *facts["key"])
    return find_source(learner, facts["player"], tuple(state["batch"]), numerics)
