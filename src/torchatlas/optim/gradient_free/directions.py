"""Random directions for all weights, the same for the same key."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from ...engine.errors import UsageError
from ...engine.randomness import generator, key_seed


def weights_of(optimizer: Optimizer) -> list[Tensor]:
    """The weights that directions are drawn for. Raises UsageError where they are complex."""
    weights = [w for group in optimizer.param_groups for w in group["params"] if w.numel()]
    if any(w.is_complex() for w in weights):
        raise UsageError(f"{type(optimizer).__name__} takes no complex weights: use adam")
    return weights


def steps_of(optimizer: Optimizer) -> dict[str, int]:
    """Where an optimizer of all weights together counts its steps: beside its first weight's state."""
    kept: dict[str, int] = optimizer.state[optimizer.param_groups[0]["params"][0]]
    kept.setdefault("step", 0)
    return kept


def directions(weights: Sequence[Tensor], *key: object) -> list[Tensor]:
    """Normal numbers like the weights, drawn where these lie: a function of the key."""
    sources: dict[torch.device, torch.Generator] = {}
    drawn = []
    for weight in weights:
        device = weight.device
        if device not in sources:
            on_cpu = device.type == "cpu"
            sources[device] = (
                generator(*key) if on_cpu else torch.Generator(device).manual_seed(key_seed(*key))
            )
        drawn.append(torch.randn(weight.shape, generator=sources[device], dtype=weight.dtype, device=device))
    return drawn


def agreement(some: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """The dot product of tensors, all together."""
    products = torch._foreach_mul(list(some), list(others))
    return torch.stack([product.sum().to(some[0].device, some[0].dtype) for product in products]).sum()


def scaled(tensors: Sequence[Tensor], factor: Tensor) -> list[Tensor]:
    """All tensors times one number, each on its device."""
    factors = {tensor.device: factor.to(tensor.device) for tensor in tensors}
    return [tensor * factors[tensor.device].to(tensor.dtype) for tensor in tensors]
