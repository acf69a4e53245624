"""Laws of layers, normalisations and pooling, and of what draws initial weights.

A layer that wants more than one input keeps none of these; its own tests look at it.
"""

import inspect
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from ...cards.card import Card
from ...cards.reader import get
from ...engine.errors import UsageError
from ...nn.normalization.deviation import Variance
from .law import Check, close, draw, must, same_when_traced, tiny

SHAPE = (3, 4, 6, 4)  # four channels, and four numbers in the last dimension: every `tiny` layer takes it
HUGE = 1e4
RANDOM = "random"  # a topic of layers that draw in evaluation mode too: no values to compare
FIXED = "fixed"  # a topic of initialisations that draw nothing


def _example(seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return draw(*SHAPE, seed=seed, dtype=dtype)


def _layer(card: Card, seed: int = 0) -> nn.Module:
    """The layer in its tiny setting, its weights drawn from a seed, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        layer: nn.Module = tiny(card).eval()
    return layer


def _inputs(layer: nn.Module) -> int:
    """How many inputs a layer cannot do without."""
    words = inspect.signature(layer.forward).parameters.values()
    return sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in words)


def _of_one_input(check: Callable[[Card, nn.Module], None]) -> Check:
    """The check as a law, which holds of itself for layers that want more inputs than one."""

    @wraps(check)
    def law(card: Card) -> None:
        layer = _layer(card)
        if _inputs(layer) == 1:
            check(card, layer)

    return law


def _first(output: Any) -> Tensor:
    tensor: Tensor = output[0] if isinstance(output, tuple | list) else output
    return tensor


@_of_one_input
def keeps_the_batch(card: Card, layer: nn.Module) -> None:
    """One output per sample; a normalisation keeps the shape, pooling keeps the channels."""
    shape = tuple(_first(layer(_example())).shape)
    must(shape[0] == SHAPE[0], f"{card.name} made {shape} of {SHAPE}")
    must(card.kind != "norm" or shape == SHAPE, f"{card.name} made {shape} of {SHAPE}")
    smaller = shape[1] == SHAPE[1] and shape[-1] < SHAPE[-1] and shape[-2] < SHAPE[-2]
    must(card.kind != "pool" or smaller, f"{card.name} made {shape} of {SHAPE}")


@_of_one_input
def empty_batches_pass(card: Card, layer: nn.Module) -> None:
    """In evaluation mode a batch without samples gives an output without samples."""
    if not card.where.startswith("torch."):  # some of PyTorch's own refuse it in words
        expected = (0, *_first(layer(_example())).shape[1:])
        with warnings.catch_warnings(
            action="ignore", category=UserWarning
        ):  # a variance of no numbers is nan
            got = tuple(_first(layer(_example()[:0])).shape)
        must(got == expected, f"{card.name} made {got} of no samples, not {expected}")


@_of_one_input
def samples_stand_alone(card: Card, layer: nn.Module) -> None:
    """In evaluation mode a batch gives what its samples give one by one."""
    if RANDOM not in card.topics:
        x = _example()
        alone = torch.cat([_first(layer(row)) for row in x.split(1)])
        close(_first(layer(x)), alone, 1e-5, card.name)


def _pinned(layer: Callable[..., Any]) -> Callable[[Tensor], Tensor]:
    """The layer as a function: what it draws is the same each time."""

    def call(x: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return _first(layer(x))

    return call


@_of_one_input
def gradient_is_right(card: Card, layer: nn.Module) -> None:
    """Autograd agrees with finite differences, by the input and each parameter, in evaluation mode.

    Parameters are moved a little, as what begins at zero may begin at a kink.
    """
    x, names = _example(1, torch.double)[:1], [name for name, _ in layer.double().named_parameters()]
    moved = [p + 0.05 * draw(1, *p.shape, seed=k)[0] for k, p in enumerate(layer.parameters())]

    def of(x: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(names, parameters, strict=True))
        return _pinned(lambda x: functional_call(layer, named, (x,)))(x)

    torch.autograd.gradcheck(of, [t.detach().requires_grad_() for t in (x, *moved)], fast_mode=True)


@_of_one_input
def second_gradient_is_right(card: Card, layer: nn.Module) -> None:
    """A gradient's own derivative agrees with finite differences along one direction, away from kinks.

    A layer may say that it has none: it raises where it is asked.
    """
    call, x = _pinned(layer.double()), _example(1, torch.double)[:1]
    weight, way = draw(*call(x).shape, seed=2, dtype=torch.double), draw(*x.shape, seed=3, dtype=torch.double)

    def gradient(x: Tensor, create_graph: bool = False) -> Tensor:
        (found,) = torch.autograd.grad((call(x) * weight).sum(), x, create_graph=create_graph)
        return found

    def difference(step: float) -> Tensor:
        ahead, behind = (gradient((x + sign * step * way).requires_grad_()) for sign in (1, -1))
        return (ahead - behind) / (2 * step)

    near, far = difference(1e-6), difference(3e-6)
    smooth = (near - far).abs() <= 1e-4 * (1 + near.abs())  # over a kink they differ threefold
    must(bool(smooth.double().mean() > 0.5), f"{card.name}'s gradient jumps nearly everywhere")
    at = x.clone().requires_grad_()
    try:
        slope = (gradient(at, create_graph=True) * way).sum()
        if slope.requires_grad:
            (found,) = torch.autograd.grad(slope, at, allow_unused=True, materialize_grads=True)
        else:  # the gradient is the same everywhere
            found = torch.zeros_like(x)
    except (UsageError, RuntimeError) as error:
        told = isinstance(error, UsageError) or "differentiate twice" in str(error)
        must(told or "not implemented" in str(error), f"{card.name}: {error}")
        return
    close(found[smooth], near[smooth], 1e-4, f"{card.name}'s second gradient")


@_of_one_input
def extremes_stay_finite(card: Card, layer: nn.Module) -> None:
    """Values are finite for zeros, for equal and for large numbers; so are gradients, of parameters too."""
    signs = torch.ones(SHAPE).cumsum(-1) % 2 * 2 - 1
    cases = (torch.zeros(SHAPE), torch.full(SHAPE, HUGE), HUGE * signs, HUGE * _example(3))
    for x in cases:
        x = x.requires_grad_()
        where = f"at {x.flatten()[:2].tolist()}, ..."
        y = _first(layer(x))
        wanted = [x, *(p for p in layer.parameters() if p.requires_grad)]
        gradients = torch.autograd.grad(y.sum(), wanted, allow_unused=True, materialize_grads=True)
        must(bool(y.isfinite().all()), f"{card.name}'s values are not finite {where}")
        own = not card.where.startswith("torch.")  # what a library's root does at zero is its own
        sound = all(bool(g.isfinite().all()) for g in gradients) or not (own or x.any())
        must(sound, f"{card.name}'s gradients are not finite {where}")


def _mostly_close(got: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    """Nearly all numbers are close: where a layer chooses, rounding may choose otherwise here and there."""
    near = torch.isclose(got, expected, rtol=tolerance, atol=tolerance).double().mean()
    must(not got.numel() or bool(near >= 0.95), f"{what}: only {float(near):.0%} of the numbers are near")


@_of_one_input
def half_precision_is_near(card: Card, layer: nn.Module) -> None:
    """bfloat16 and float16, where PyTorch has them for the CPU, keep their type and come near to float32."""
    if RANDOM in card.topics:
        return
    for dtype, tolerance in ((torch.bfloat16, 5e-2), (torch.float16, 1e-2)):
        x, half = _example(2).to(dtype), _layer(card).to(dtype)
        try:
            got = _first(half(x))
        except (NotImplementedError, RuntimeError) as error:
            must("not implemented" in str(error), f"{card.name} in {dtype}: {error}")
            continue
        must(got.dtype == dtype, f"{card.name} made {got.dtype} of {dtype}")
        _mostly_close(got.float(), _first(layer(x.float())), tolerance, f"{card.name} in {dtype}")


@_of_one_input
def autocast_is_near(card: Card, layer: nn.Module) -> None:
    """Under autocast values and gradients come near to those of float32."""
    if RANDOM in card.topics:
        return
    found = []
    for enabled in (False, True):
        x = _example(2).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = _first(layer(x)).float()
        found.append((y.detach(), torch.autograd.grad(y.square().mean(), x)[0]))
    for what, (plain, cast) in zip(("values", "gradients"), zip(*found, strict=True), strict=True):
        _mostly_close(cast, plain, 5e-2, f"{card.name}'s {what} under autocast")


@_of_one_input
def compiles_and_exports(card: Card, layer: nn.Module) -> None:
    """`torch.compile` takes it in one graph and `torch.export` exports it; both agree with eager mode."""
    if RANDOM not in card.topics:
        same_when_traced(layer, _example(), tolerance=1e-5, what=card.name)


@_of_one_input
def state_round_trips(card: Card, layer: nn.Module) -> None:
    """After two training batches, a copy made from the state computes the very same, and goes on so."""
    twin = _layer(card, seed=1)
    call, other = _pinned(layer), _pinned(twin)
    layer.train()
    for seed in (4, 5):
        call(_example(seed))
    twin.load_state_dict(layer.state_dict())
    for training in (False, True, False):
        layer.train(training), twin.train(training)
        got, expected = other(_example(6)), call(_example(6))
        must(torch.equal(got, expected), f"{card.name}: a copy made from its state gives other values")


def builds_without_memory(card: Card) -> None:
    """It is built on the meta device without reading a value."""
    with torch.device("meta"):
        layer = tiny(card)
    places = {t.device.type for t in (*layer.parameters(), *layer.buffers())}
    must(places <= {"meta"}, f"{card.name} makes tensors on {', '.join(sorted(places - {'meta'}))}")


LAWS: tuple[Check, ...] = (
    keeps_the_batch,
    empty_batches_pass,
    samples_stand_alone,
    gradient_is_right,
    second_gradient_is_right,
    extremes_stay_finite,
    half_precision_is_near,
    autocast_is_near,
    compiles_and_exports,
    state_round_trips,
    builds_without_memory,
)


@_of_one_input
def batches_are_standardised(card: Card, layer: nn.Module) -> None:
    """A norm over the batch brings each channel of a training batch to centre 0 and spread 1."""
    if not getattr(layer, "standardises", isinstance(layer, _BatchNorm)):
        return
    measure = getattr(layer, "deviation", Variance())
    scales = torch.tensor([0.5, 1.0, 3.0, 20.0]).view(-1, 1, 1)
    y = layer.double().train()(_example(7, torch.double) * scales + 5 * scales)
    centre, spread = measure.statistics(y)
    close(centre, torch.zeros(SHAPE[1]), 1e-4, f"{card.name}'s centre")
    close(measure.divisor(spread, 0.0), torch.ones(SHAPE[1]), 1e-3, f"{card.name}'s spread")


@_of_one_input
def one_value_is_refused(card: Card, layer: nn.Module) -> None:
    """While training, a norm over the batch says that one value per channel has no spread."""
    if not getattr(layer, "batch_statistics", False):
        return
    try:
        layer.train()(_example()[:1, :, :1, :1])
    except UsageError:
        return
    must(False, f"{card.name} takes one value per channel for a spread")


NORM_LAWS: tuple[Check, ...] = (*LAWS, batches_are_standardised, one_value_is_refused)


def _filled(card: Card, seed: int) -> Tensor:
    torch.manual_seed(seed)
    tensor = torch.full((40, 30), torch.nan)
    got = get(card.name)(tensor, **card.tiny, generator=torch.Generator().manual_seed(seed))
    must(got is tensor, f"{card.name} does not fill the tensor that it is given")
    return tensor


def fills_in_place(card: Card) -> None:
    """Every number of the tensor is set, finite, and they are not all one number unless nothing is drawn."""
    tensor = _filled(card, 0)
    must(bool(torch.isfinite(tensor).all()), f"{card.name} leaves numbers that are not finite")
    must(FIXED in card.topics or float(tensor.std()) > 0, f"{card.name} sets all numbers alike")


def seed_decides(card: Card) -> None:
    """The seed decides the numbers, or they are the same for each where nothing is drawn."""
    must(
        torch.equal(_filled(card, 1), _filled(card, 1)), f"{card.name} differs between two draws of one seed"
    )
    same = torch.equal(_filled(card, 1), _filled(card, 2))
    must(same == (FIXED in card.topics), f"{card.name} {'ignores' if same else 'depends on'} the seed")


def keeps_precision_and_gradients(card: Card) -> None:
    """A parameter in double precision is filled too, and goes on wanting gradients; nothing is recorded."""
    weight = nn.Parameter(torch.full((12, 8), torch.nan, dtype=torch.double))
    got = get(card.name)(weight, **card.tiny, generator=torch.Generator().manual_seed(0))
    sound = got is weight and weight.requires_grad and weight.is_leaf and bool(weight.isfinite().all())
    must(sound and weight.dtype == torch.double, f"{card.name} does not fill a parameter in place")


INITIALIZER_LAWS: tuple[Check, ...] = (fills_in_place, seed_decides, keeps_precision_and_gradients)
