"""Straight through: a value that has no useful derivative, with the gradient of another one."""

from typing import Any

import torch
from torch import Tensor


class _StraightThrough(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, surrogate: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None: ...

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        return None, grad


def straight_through(value: Tensor, surrogate: Tensor) -> Tensor:
    """The numbers of one tensor with the gradient of another of the same shape and type."""
    result: Tensor = _StraightThrough.apply(value.detach(), surrogate)
    return result
