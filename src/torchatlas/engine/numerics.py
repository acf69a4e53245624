"""Numerics: how a step is computed, the same mathematics at another speed and rounding."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn

from .errors import UsageError

T = TypeVar("T", bound=Callable[..., Any])

WORDS = ("channels_last", "bfloat16", "tf32", "compiled", "fused", "unfused")
BACKEND = "inductor"  # of torch.compile


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
        if {"fused", "unfused"} <= set(words):
            raise UsageError(f"numerics={text}: say fused or unfused, not both")
        return cls(**{"fused" if word == "unfused" else word: word != "unfused" for word in words})

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """Back from `as_dict`."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in state.items() if key in known})

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a recipe."""
        return asdict(self)

    def __str__(self) -> str:
        said = [word for word in WORDS if getattr(self, word, False)]
        said += ["unfused"] * (self.fused is False)
        said += [f"{self.threads} thread{'s' * (self.threads > 1)}"] if self.threads else []
        return "+".join(said) or "exact"

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

    @contextmanager
    def precise(self, device: torch.device) -> Iterator[None]:
        """What both passes run in: on CUDA, products of float32 in TensorFloat-32 or in float32 itself."""
        if device.type != "cuda":
            yield
            return
        cudnn: Any = torch.backends.cudnn
        kinds: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
        before = [kind.fp32_precision for kind in kinds]
        try:
            for kind in kinds:
                kind.fp32_precision = "tf32" if self.tf32 else "ieee"
            yield
        finally:
            for kind, precision in zip(kinds, before):
                kind.fp32_precision = precision


EXACT = Numerics()


def compiled(turn: T) -> T:
    """A turn, or a function that gives its gradient, by `torch.compile`, for each shape of a batch anew.

    Its noise is that of eager PyTorch.
    """
    options: Any = {"fallback_random": True} if BACKEND == "inductor" else None
    apart: dict[str, Any] = {}
    if "isolate_recompiles" in inspect.signature(torch.compile).parameters:
        apart["isolate_recompiles"] = True  # else all turns of a process share one limit of shapes
    return torch.compile(turn, dynamic=False, backend=BACKEND, options=options, **apart)  # type: ignore[return-value]


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes products of bfloat16 by itself."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known: Any = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(known.get(k) for k in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def has_tf32(device: torch.device) -> bool:
    """Whether the device knows TensorFloat-32."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
