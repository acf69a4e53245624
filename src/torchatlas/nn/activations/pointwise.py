"""Functions of one number at a time that keep only what they were given for the gradient."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ...engine.errors import UsageError


def pointwise(value: Callable[..., Tensor], slopes: Callable[..., Iterable[Tensor]]) -> Callable[..., Tensor]:
    """A function value(x, *parameters, *constants) that saves x and the parameters for the gradient, no more.

    Parameters are tensors that broadcast against x; constants are no tensors and come last. `slopes` takes
    what `value` takes and yields the derivatives by x and by each parameter, in this order, each only when it
    is asked for: all at once would hold a tensor of x's size for every parameter. Its operations are
    differentiable, so gradients of second order exist. Half precision is computed in single.
    """

    class Pointwise(Function):
        generate_vmap_rule = True  # nets of several seeds train stacked

        @staticmethod
        def forward(x: Tensor, *rest: Any) -> Tensor:
            return value(*_wide((x, *rest))).to(x.dtype)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            tensors = [item for item in inputs if isinstance(item, Tensor)]
            ctx.save_for_backward(*tensors)
            ctx.constants = inputs[len(tensors) :]

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
            tensors = ctx.saved_tensors
            found: list[Tensor | None] = []
            for tensor, slope in zip(tensors, slopes(*_wide((*tensors, *ctx.constants)))):
                found.append((gradient * slope).sum_to_size(tensor.shape).to(tensor.dtype))
            return (*found, *(None for _ in ctx.constants))

    apply: Callable[..., Tensor] = Pointwise.apply
    return apply


def _wide(items: tuple[Any, ...]) -> list[Any]:
    """The tensors among some items in single precision, where they are in half."""
    narrow = (torch.float16, torch.bfloat16)
    return [item.float() if isinstance(item, Tensor) and item.dtype in narrow else item for item in items]


def along(parameter: Tensor, x: Tensor, dim: int) -> Tensor:
    """A parameter of one number per channel, shaped so that it meets the channels of x along `dim`.

    Raises UsageError where x has another number of channels.
    """
    if not -x.dim() <= dim < x.dim() or x.shape[dim] != parameter.shape[0]:
        raise UsageError(
            f"this layer was made for {parameter.shape[0]} channels along dimension {dim}, and its input is "
            f"of shape {tuple(x.shape)}: say their number and dim= as they are there"
        )
    shape = [1] * x.dim()
    shape[dim] = -1
    return parameter.view(shape)


def horner(coefficients: Sequence[Tensor], x: Tensor) -> Tensor:
    """The polynomial c_0 + c_1 x + c_2 x² + …; zero where there are no coefficients."""
    total = torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def last_largest(pieces: Iterable[Tensor]) -> Tensor:
    """Which of several tensors is the largest at each number, the last of equal ones: ReLU is flat at 0."""
    best, *others = pieces
    which = torch.zeros_like(best, dtype=torch.uint8)
    for k, piece in enumerate(others, 1):
        which = torch.where(piece >= best, k, which)
        best = torch.maximum(best, piece)
    return which


def positive(**counts: int) -> None:
    """Raise UsageError unless all of these are whole numbers from one on."""
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise UsageError(f"{name}={count!r} must be a whole number of at least 1")


def one_of(word: str, forms: str) -> str:
    """A form's letter in lower case. Raises UsageError where it is none of the letters in `forms`."""
    if not isinstance(word, str) or word.lower() not in tuple(forms):
        raise UsageError(f"form={word!r} must be one of {', '.join(forms)}")
    return word.lower()
