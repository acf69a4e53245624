"""The teacher: a trained network that stays as it is."""

import copy
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ...engine.errors import UsageError
from ...networks.fitting import network_for

if TYPE_CHECKING:
    from ...data.spec import Spec

Teacher = nn.Module | str | Callable[..., nn.Module]
UNTRAINED = "untrained:"
CURE = "train one and say teacher=run:RUN"


def teacher_for(spec: "Spec", teacher: Teacher) -> nn.Module:
    """A module that gives logits, or the one that "module:Thing" or a function makes.

    "untrained:mlp" is a network whose weights are the same random ones each time.
    Raises UsageError for an untrained network that is not called so.
    """
    if isinstance(teacher, nn.Module):
        return teacher
    if isinstance(teacher, str) and ":" not in teacher:
        raise UsageError(f"teacher={teacher} is a network that was not trained: {CURE}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return network_for(spec, teacher.removeprefix(UNTRAINED) if isinstance(teacher, str) else teacher)


def constant(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that takes no gradient."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def must_fit(teacher: nn.Module, spec: "Spec") -> None:
    """Raise UsageError unless a teacher in evaluation mode gives one logit for each class of the data."""
    tensor = next((t for t in teacher.state_dict().values() if t.is_floating_point()), torch.empty(0))
    x = torch.zeros(1, *spec.shape, dtype=tensor.dtype, device=tensor.device)
    try:
        with torch.no_grad():
            shape = tuple(teacher(x).shape)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise UsageError(f"the teacher does not take inputs of shape {spec.shape}: {error}") from error
    if shape != (1, spec.outputs):
        outputs = "x".join(map(str, shape[1:]))
        raise UsageError(f"the teacher gives {outputs} outputs, and the data has {spec.outputs} classes")


@torch.no_grad()
def soft_targets(teacher: nn.Module, x: Tensor, temperature: float = 1.0, batch_size: int = 1024) -> Tensor:
    """A teacher's class probabilities (n, k) for prepared inputs, on the CPU; its mode is left as it was."""
    training, device = teacher.training, next(chain(teacher.parameters(), teacher.buffers()), x).device
    teacher.eval()
    try:
        parts = [(teacher(part.to(device)) / temperature).softmax(1).cpu() for part in x.split(batch_size)]
    finally:
        teacher.train(training)
    return torch.cat(parts)
