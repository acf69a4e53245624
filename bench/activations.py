"""Each activation's passes beside its plain formula under `torch.compile`, and what it holds.

`python -m bench activations [NAME…]`. The plain formula is written as the paper prints it and compiled by
Inductor; the activation runs as it is, and compiled too. Bytes are those saved for the gradient.
"""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.pairs import pairs
from torchatlas.cards.reader import catalog, create

SHAPE = (64, 64, 32, 32)
COUNT = 7  # pairs
Plain = Callable[[nn.Module, Tensor], Tensor]


def channel(parameter: Tensor) -> Tensor:
    """A parameter per channel beside a map."""
    return parameter.view(-1, 1, 1)


def pade(top: Sequence[Tensor], below: Sequence[Tensor], x: Tensor) -> Tensor:
    """A quotient of polynomials with the sum below in bars."""
    above = sum(c * x**k for k, c in enumerate(top))
    return above / (1 + abs(sum(c * x**k for k, c in enumerate(below, 1))))


def orthogonal(act: nn.Module, x: Tensor) -> Tensor:
    """A quotient of Hermite polynomials, written out."""
    f = [1 + 0 * x, x, x**2 - 1, x**3 - 3 * x, x**4 - 6 * x**2 + 3, x**5 - 10 * x**3 + 15 * x]
    above = sum(c * one for c, one in zip(act.c, f))
    return above / (1 + sum(d.abs() * one.abs() for d, one in zip(act.d, f[1:])))


def acon(act: nn.Module, x: Tensor) -> Tensor:
    """ACON of the learned numbers that there are."""
    p1 = 1 if act.p1 is None else channel(act.p1)
    p2 = 0 if act.p2 is None else channel(act.p2)
    return (p1 - p2) * x * torch.sigmoid(channel(act.beta) * (p1 - p2) * x) + p2 * x


def meta_acon(act: nn.Module, x: Tensor) -> Tensor:
    """ACON with slopes from the map."""
    beta = act.switch(x.mean((2, 3)))[:, :, None, None]
    d = channel(act.p1 - act.p2)
    return d * x * torch.sigmoid(beta * d * x) + channel(act.p2) * x


def apl(act: nn.Module, x: Tensor) -> Tensor:
    """A ReLU and its hinges."""
    hinges = zip(act.a.unbind(1), act.b.unbind(1))
    return F.relu(x) + sum(channel(a) * F.relu(channel(b) - x) for a, b in hinges)


def pwlu(act: nn.Module, x: Tensor) -> Tensor:
    """Pieces looked up in a table of each channel."""
    pieces = act.pieces
    low, high = act.mean - 3 * act.spread + act.low, act.mean + 3 * act.spread + act.high
    knots = low[:, None] + torch.linspace(0, 1, pieces + 1, device=x.device) * (high - low)[:, None]
    heights = (F.relu(knots.detach()) + act.points).flatten()
    t = (x - channel(low)) / channel(high - low) * pieces
    piece = t.detach().floor().clamp(0, pieces - 1)
    index = (piece + (pieces + 1) * channel(torch.arange(act.channels, device=x.device))).long()
    part = t.clamp(0, pieces) - piece
    inside = heights[index] * (1 - part) + heights[index + 1] * part
    return (
        inside
        + channel(act.left) * (x - channel(low)).clamp(max=0)
        + channel(1 + act.right) * (x - channel(high)).clamp(min=0)
    )


def dynamic_relu(act: nn.Module, x: Tensor) -> Tensor:
    """The largest line, each written out."""
    a1, b1, a2, b2 = act.lines(x)
    return torch.maximum(a1 * x + b1, a2 * x + b2)


def dynamic_shift_max(act: nn.Module, x: Tensor) -> Tensor:
    """The larger mixture, each written out."""
    z = act.widen(F.relu(act.squeeze(x.mean((2, 3)))))
    a, b, c, d = (2 * act.bound * (F.hardsigmoid(z) - 0.5))[:, :, None, None].chunk(4, 1)
    other = x.roll(-act.channels // act.groups, 1)
    return torch.maximum((a + 1) * x + b * other, c * x + d * other)


PLAIN: dict[str, Plain] = {
    "relu": lambda act, x: x.clamp(min=0),
    "relu6": lambda act, x: x.clamp(0, 6),
    "softplus": lambda act, x: torch.log1p(x.exp()),
    "leaky_relu": lambda act, x: torch.where(x >= 0, x, 0.01 * x),
    "prelu": lambda act, x: torch.where(x >= 0, x, act.weight * x),
    "elu": lambda act, x: torch.where(x >= 0, x, x.exp() - 1),
    "gelu": lambda act, x: x / 2 * (1 + torch.erf(x / 2**0.5)),
    "swish": lambda act, x: x * torch.sigmoid(x),
    "mish": lambda act, x: x * torch.tanh(torch.log1p(x.exp())),
    "step": lambda act, x: (x >= 0).to(x.dtype) + 0 * x,
    "isru": lambda act, x: x / torch.sqrt(1 + x**2),
    "isrlu": lambda act, x: torch.where(x >= 0, x, x / torch.sqrt(1 + x**2)),
    "squareplus": lambda act, x: (x + torch.sqrt(x**2 + 4)) / 2,
    "elish": lambda act, x: torch.where(x >= 0, x, x.exp() - 1) * torch.sigmoid(x),
    "hardelish": lambda act, x: torch.where(x >= 0, x, x.exp() - 1) * ((x + 1) / 2).clamp(0, 1),
    "swish_beta": lambda act, x: x * torch.sigmoid(act.beta * x),
    "acon": acon,
    "meta_acon": meta_acon,
    "apl": apl,
    "pau": lambda act, x: pade(act.a, act.b, x),
    "opau": orthogonal,
    "pwlu": pwlu,
    "sau": lambda act, x: (
        (1 - act.alpha) * act.sigma / (2 * torch.pi) ** 0.5 * torch.exp(-((x / act.sigma) ** 2) / 2)
        + (1 + act.alpha) * x / 2
        + (1 - act.alpha) * x / 2 * torch.erf(x / (2**0.5 * act.sigma))
    ),
    "smu": lambda act, x: (1.25 * x + 0.75 * x * torch.erf(0.75 * act.mu * x)) / 2,
    "smu_1": lambda act, x: (1.25 * x + torch.sqrt((0.75 * x) ** 2 + act.mu**2)) / 2,
    "dynamic_relu": dynamic_relu,
    "dynamic_shift_max": dynamic_shift_max,
    "frelu": lambda act, x: torch.maximum(x, act.norm(act.window(x))),
}
OPTIONS = {"pwlu": {"settling": 0}}  # as it is while it learns


def passes(call: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor) -> Callable[[], None]:
    """One forward and one backward pass."""

    def work() -> None:
        x.grad = None
        call(x).backward(gradient)

    return work


def held(call: Callable[[Tensor], Tensor], parameters: Iterable[Tensor], x: Tensor) -> float:
    """The bytes saved for the gradient, of each memory once, as a multiple of the input's."""
    own = {p.untyped_storage().data_ptr() for p in parameters}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in own:
            kept.setdefault(place, tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        call(x)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values()) / x.untyped_storage().nbytes()


def line(name: str, shape: tuple[int, ...] = SHAPE, count: int = COUNT) -> str:
    """One activation as a row: milliseconds, ratios over the compiled formula, bytes held."""
    torch.manual_seed(0)
    torch._dynamo.reset()
    takes = {"channels": shape[1]} if "channels" in catalog()[name].tiny else {}
    act = create(name, **takes, **OPTIONS.get(name, {}))
    x, gradient = torch.randn(shape, requires_grad=True), torch.randn(shape)
    formula = PLAIN[name]

    def plain(x: Tensor) -> Tensor:
        return formula(act, x)

    apart = (act(x) - plain(x)).abs().max().item()
    theirs = passes(torch.compile(plain, fullgraph=True, dynamic=False), x, gradient)
    eager = pairs(name, passes(act, x, gradient), theirs, count)
    compiled = pairs(
        name, passes(torch.compile(act, fullgraph=True, dynamic=False), x, gradient), theirs, count
    )
    return (
        f"{name:18} {1000 * eager.ours:8.1f} {1000 * compiled.ours:9.1f} {1000 * eager.theirs:8.1f}"
        f" {median(eager.ratios):9.2f} {median(compiled.ratios):9.2f}"
        f" {held(act, act.parameters(), x):6.2f} {held(plain, act.parameters(), x):7.2f} {apart:10.1e}"
    )


def main(names: Iterable[str] = ()) -> int:
    """Print the table; of some activations where they are named."""
    wanted = list(names) or list(PLAIN)
    if unknown := [name for name in wanted if name not in PLAIN]:
        print(f"no plain formula is written for {', '.join(unknown)}; there are {', '.join(PLAIN)}")
        return 2
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {SHAPE} in float32, {COUNT} pairs")
    print(
        f"{'':18} {'ms':>8} {'compiled':>9} {'formula':>8} {'ratio':>9} {'compiled':>9}"
        f" {'held':>6} {'formula':>7} {'apart':>10}"
    )
    for name in wanted:
        print(line(name), flush=True)
    return 0
