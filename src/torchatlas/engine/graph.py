"""A turn's loss and gradient as one compiled graph, which runs without autograd."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from .learner import Batch, told_apart
from .numerics import compiled

Whole = tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]  # loss, logs, gradient by weight


class Graph:
    """The gradient of a turn by `torch.compile` of the gradient itself, not of the loss alone.

    Compiled that way, a step of a net of two layers takes about two thirds of what its compiled loss and
    autograd's backward pass take. It is for turns that leave buffers alone and reach every weight: `fits`
    says so after one look. Gradients are those of autograd to rounding.
    """

    def __init__(self, turn: nn.Module, owned: Sequence[Tensor]):
        names = {id(p): name for name, p in turn.named_parameters()}
        self.weights = {names[id(p)]: p for p in owned}

        def lost(weights: dict[str, Tensor], batch: Batch) -> tuple[Tensor, tuple[Tensor, dict[str, Tensor]]]:
            result = functional_call(turn, weights, (batch,))
            loss, logs = told_apart(result)
            return loss, (loss, logs)

        def whole(weights: dict[str, Tensor], batch: Batch) -> Whole:
            gradients, (loss, logs) = grad(lost, has_aux=True)(weights, batch)
            return loss, logs, gradients

        self.call: Callable[[dict[str, Tensor], Batch], Whole] = compiled(whole)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and the logs; the gradient goes into `.grad`."""
        loss, logs, gradients = self.call({name: p.detach() for name, p in self.weights.items()}, batch)
        for name, weight in self.weights.items():
            weight.grad = _laid_as(weight, gradients[name])
        return loss, logs


def _laid_as(weight: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in its weight's memory layout, as autograd leaves it: fused kernels walk over both."""
    same = gradient.stride() == weight.stride()
    return gradient if same else torch.empty_like(weight).copy_(gradient)


def fits(loss: Callable[[], Any], owned: Sequence[Tensor], buffers: Sequence[Tensor]) -> bool:
    """Whether a turn moves no buffer and reaches every weight, by taking it once; it leaves no trace.

    A weight without a gradient rests, and one whose gradient is zero would not: decay moves it.
    """
    kept = [buffer.clone() for buffer in buffers]
    result = loss()
    found = torch.autograd.grad(told_apart(result)[0], list(owned), allow_unused=True)
    still = [torch.equal(buffer, before) for buffer, before in zip(buffers, kept)]
    for buffer, before in zip(buffers, kept):
        buffer.data.copy_(before)
    return all(still) and all(gradient is not None for gradient in found)
