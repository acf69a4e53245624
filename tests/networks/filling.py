"""Weights that are a function of their names and shapes, for networks whose answers are compared."""

import math
from collections.abc import Mapping, Sequence
from zlib import crc32

import torch
from torch import Tensor, nn

DROPPING = ("p", "drop_prob", "drop_rate")  # what layers call the rate at which they leave out


def filled(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """A state dict in double precision: variances and gains within 0.5..1.5, the rest normal by fan-in."""
    return {name: _drawn(name, tuple(shape)) for name, shape in shapes.items()}


def _drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1)
    numbers = torch.Generator().manual_seed(crc32(name.encode()))
    last = name.rpartition(".")[2]
    if last == "running_var" or (len(shape) == 1 and last in ("weight", "gamma")):
        return torch.rand(shape, generator=numbers, dtype=torch.double) + 0.5
    fan = math.prod(shape[1:]) if len(shape) > 1 else 100
    return torch.randn(shape, generator=numbers, dtype=torch.double) / math.sqrt(fan)


def question(size: Sequence[int], channels: int = 3) -> Tensor:
    """Two images."""
    return torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(0), dtype=torch.double)


@torch.no_grad()
def answers(network: nn.Module, size: Sequence[int], count: int = 6) -> dict[str, Tensor]:
    """The first logits in evaluation and in training mode, with nothing left out at random."""
    for module in network.modules():
        for word in DROPPING:
            if isinstance(getattr(module, word, None), float):
                setattr(module, word, 0.0)
    found = {}
    for mode in ("eval", "train"):
        logits = network.train(mode == "train")(question(size))
        found[mode] = (logits[0] if isinstance(logits, tuple) else logits)[:, :count]
    return found
