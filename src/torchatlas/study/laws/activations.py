"""Laws of activations."""

import inspect
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import Card
from ...cards.reader import get
from .law import Check, close, draw, must, same_when_traced, tiny

EXTREMES = (-1e4, -1.0, 0.0, 1.0, 1e4)


def _words(card: Card) -> set[str]:
    try:
        return set(inspect.signature(get(card.name)).parameters)
    except (TypeError, ValueError):
        return set()


def _shape(card: Card, batch: int, width: int = 4) -> tuple[int, ...]:
    """A shape that it takes: a table, of its channels if it has any; maps where it has no `dim`."""
    words = _words(card)
    if "channels" not in words:
        return (batch, width)
    channels = int(card.tiny.get("channels", width))
    return (batch, channels) if "dim" in words else (batch, channels, 3, 2)


def _shapes(card: Card) -> list[tuple[int, ...]]:
    words = _words(card)
    if "channels" not in words:
        return [(3, 4), (2, 3, 4, 5), (1, 1), (0, 3)]
    channels = int(card.tiny.get("channels", 4))
    maps: list[tuple[int, ...]] = [(2, channels, 4, 5), (1, channels, 1, 1), (0, channels, 3, 3)]
    return [*maps, (3, channels), (1, channels), (0, channels)] if "dim" in words else maps


def _made(card: Card) -> nn.Module:
    """The activation in evaluation mode, the same each time."""
    torch.manual_seed(0)
    act: nn.Module = tiny(card).eval()
    return act


def _of_all(act: nn.Module) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """The activation as a function of its input and of its parameters, and the parameters.

    They are moved a little, as a factor that starts at one is not seen where it is left out.
    """
    names = [name for name, _ in act.named_parameters()]

    def call(x: Tensor, *values: Tensor) -> Tensor:
        y: Tensor = torch.func.functional_call(act, dict(zip(names, values)), (x,))
        return y

    moved = [p + 0.3 * draw(1, *p.shape, seed=k, dtype=p.dtype)[0] for k, p in enumerate(act.parameters())]
    return call, [p.detach().requires_grad_() for p in moved]


def keeps_the_shape(card: Card) -> None:
    """Any shape comes out as it went in."""
    act = _made(card)
    for shape in _shapes(card):
        got = act(draw(*shape)).shape
        must(tuple(got) == shape, f"{card.name} made {tuple(got)} of {shape}")


def samples_stand_alone(card: Card) -> None:
    """A batch gives what its samples give one by one."""
    act, x = _made(card), draw(*_shape(card, 5))
    close(act(x), torch.cat([act(row) for row in x.split(1)]), 1e-6, card.name)


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, by the input and by each parameter."""
    act, x = _made(card).double(), draw(*_shape(card, 3), seed=1, dtype=torch.double).requires_grad_()
    torch.autograd.gradcheck(act, (x,))
    call, parameters = _of_all(act)
    if parameters:
        torch.autograd.gradcheck(call, (x, *parameters), fast_mode=True)


def second_gradient_is_right(card: Card) -> None:
    """The gradient's own gradient agrees with finite differences: gradient penalties can be learned from."""
    act, x = _made(card).double(), draw(*_shape(card, 2), seed=1, dtype=torch.double).requires_grad_()
    call, parameters = _of_all(act)
    try:
        torch.autograd.gradgradcheck(call, (x, *parameters), fast_mode=True)
    except RuntimeError as error:  # PyTorch's own hard sigmoid has none
        if not card.where.startswith("torch.") or "is not implemented" not in str(error):
            raise


def extremes_stay_finite(card: Card) -> None:
    """Values and gradients are finite at zero and far from it."""
    act = _made(card)
    if "channels" in _words(card):
        shape = _shape(card, len(EXTREMES))
        x = torch.tensor(EXTREMES).view(-1, *[1] * (len(shape) - 1)).repeat(1, *shape[1:])
    else:
        x = torch.tensor([EXTREMES])
    x.requires_grad_()
    y = act(x)
    y.sum().backward()
    assert x.grad is not None
    told: dict[str, Any] = {"value": y, "gradient": x.grad}
    told |= {f"gradient by {name}": p.grad for name, p in act.named_parameters() if p.grad is not None}
    for what, values in told.items():
        must(bool(torch.isfinite(values).all()), f"{card.name}'s {what}s are not finite: {values.tolist()}")


def half_precision_is_near(card: Card) -> None:
    """bfloat16 and float16 keep their type and come near to single precision."""
    x = draw(*_shape(card, 8), seed=2)
    for dtype, tolerance in ((torch.bfloat16, 2e-2), (torch.float16, 4e-3)):
        act = _made(card).to(dtype)
        got = act(x.to(dtype))
        must(got.dtype == dtype, f"{card.name} made {got.dtype} of {dtype}")
        close(got.float(), deepcopy(act).float()(x.to(dtype).float()), tolerance, f"{card.name} in {dtype}")


def autocast_is_near(card: Card) -> None:
    """Under autocast, from single or half precision, it is finite and near to single precision."""
    act, x = _made(card), draw(*_shape(card, 8), seed=3)
    expected = act(x.bfloat16().float())
    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", torch.bfloat16):
            got = act(x.bfloat16().to(dtype))
        must(bool(torch.isfinite(got).all()), f"{card.name} is not finite under autocast")
        close(got.float(), expected, 3e-2, f"{card.name} under autocast, from {dtype}")


def compiles_and_exports(card: Card) -> None:
    """`torch.compile` takes it in one graph, `torch.export` takes it, and nothing changes."""
    if card.where.startswith("torch."):  # PyTorch's own are known to
        return
    same_when_traced(_made(card), draw(*_shape(card, 3), seed=4), what=card.name)


LAWS: tuple[Check, ...] = (
    keeps_the_shape,
    samples_stand_alone,
    gradient_is_right,
    second_gradient_is_right,
    extremes_stay_finite,
    half_precision_is_near,
    autocast_is_near,
    compiles_and_exports,
)
