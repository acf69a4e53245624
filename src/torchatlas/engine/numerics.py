"""Numerics: how a step is computed, the same mathematics at another speed and rounding."""

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn

from .errors import UsageError

WORDS = ("channels_last", "bfloat16", "tf32", "compiled", "fused")


@dataclass(frozen=True)
class Numerics:
    """Memory layout, precision, compilation, optimizer kernels and threads of a run.

    `channels_last`: images and convolutions' weights with the channels innermost. `bfloat16`: autocast.
    `tf32`: matrix products of float32 in TensorFloat-32 (CUDA). `compiled`: turns by `torch.compile`.
    `fused`: the optimizer's fused kernel; None takes it where there is one. `threads`: None leaves them.
    """

    channels_last: bool = False
    bfloat16: bool = False
    tf32: bool = False
    compiled: bool = False
    fused: bool | None = None
    threads: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From words joined by "+", such as "channels_last+bfloat16"; "exact" is none of them."""
        words = [] if text == "exact" else text.split("+")
        for word in words:
            if word not in WORDS:
                raise UsageError(
                    f"numerics={text}: say auto, exact, or some of {', '.join(WORDS)} joined by +"
                )
        return cls(**{word: True for word in words})

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """Back from `as_dict`."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in state.items() if key in known})

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a recipe."""
        return asdict(self)

    def __str__(self) -> str:
        said = [word for word in WORDS if getattr(self, word)]
        return "+".join([*said, *([f"{self.threads} threads"] if self.threads else [])]) or "exact"

    def place(self, learner: nn.Module) -> None:
        """Lay out a learner's weights."""
        if self.channels_last:
            learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def laid(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Lay out a batch."""
        if not self.channels_last:
            return batch
        form = torch.channels_last
        return tuple(t.contiguous(memory_format=form) if t.ndim == 4 else t for t in batch)

    def cast(self, device: torch.device) -> AbstractContextManager[Any]:
        """What a forward pass runs in."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16)


EXACT = Numerics()
