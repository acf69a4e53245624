"""How long a step of each optimizer takes, beside the bytes that it must move.

On weights of the shapes of ResNet-50 or of a 12-layer GPT, each optimizer steps in alternation with
`torch.optim.AdamW(foreach=True)`. What it must move, in tensors of the size of the weights: weights read and
written, the gradient read, state read and written, and where a norm stands between gradient and step, what is
read again; state per row or layer counts nothing. AdamW moves seven. The time ratio should be the ratio of
bytes: the last column is the one over the other. Where pytorch_optimizer is installed, its class of the same
method is timed beside ours too.

`python -m bench optimizers [NAME...] [--net gpt] [--shrink 4] [--count 7] [--threads 1]`
"""

import argparse
import importlib
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch
from torch import nn

from bench.pairs import Ratio, pairs
from torchatlas import create

Shapes = list[tuple[int, ...]]
ADAMW = 7
MOVED = {  # tensors that a step moves, and pytorch_optimizer's class with options that make it the same
    "lars": (7, "LARS", {}),  # w r/w, g, m r/w; w and g once more for their norms
    "lamb": (10, "Lamb", {}),  # w r/w, g, m r/w, v r/w; w once more, and the direction w/r
    "novograd": (6, "NovoGrad", {}),  # w r/w, g, m r/w; g once more for its norm
    "lion": (5, "Lion", {}),  # w r/w, g, m r/w
    "adax": (7, "", {}),
    "adaxw": (7, "", {}),
    "amos": (4, "Amos", {}),  # w r/w, g; g once more for its norm
    "funnelled_sgdm": (11, "", {}),  # w r/w, g, m, u and p r/w; g and u once more for their product
    "sm3": (3, "SM3", {"momentum": 0.0}),  # w r/w, g
    "adafactor": (6, "AdaFactor", {}),  # w r/w, g twice; the direction w/r
}


def resnet50(shrink: int = 1) -> Iterator[tuple[int, ...]]:
    """The shapes of ResNet-50's parameters; its channels divided."""

    def conv(out: int, inputs: int, kernel: int) -> Iterator[tuple[int, ...]]:
        yield (out, inputs, kernel, kernel)
        yield from ((out,), (out,))  # the normalization after it

    channels = 64 // shrink
    yield from conv(channels, 3, 7)
    inputs = channels
    for stage, depth in enumerate((3, 4, 6, 3)):
        width = channels * 2**stage
        for block in range(depth):
            yield from conv(width, inputs, 1)
            yield from conv(width, width, 3)
            yield from conv(4 * width, width, 1)
            if block == 0:
                yield from conv(4 * width, inputs, 1)
            inputs = 4 * width
    yield from ((1000 // shrink, inputs), (1000 // shrink,))


def gpt(shrink: int = 1) -> Iterator[tuple[int, ...]]:
    """The shapes of a GPT of 12 layers, 768 wide, with tied embeddings; its width and vocabulary divided."""
    width, words = 768 // shrink, 50257 // shrink
    yield from ((words, width), (1024, width))
    for _ in range(12):
        yield from ((width,), (width,), (3 * width, width), (3 * width,), (width, width), (width,))
        yield from ((width,), (width,), (4 * width, width), (4 * width,), (width, 4 * width), (width,))
    yield from ((width,), (width,))


NETS: dict[str, Callable[[int], Iterator[tuple[int, ...]]]] = {"resnet50": resnet50, "gpt": gpt}


def ready(shapes: Shapes) -> list[nn.Parameter]:
    """Weights with gradients."""
    torch.manual_seed(0)
    params = [nn.Parameter(0.02 * torch.randn(shape)) for shape in shapes]
    for param in params:
        param.grad = 0.001 * torch.randn_like(param)
    return params


def peer_of(name: str) -> Callable[..., Any] | None:
    """pytorch_optimizer's class of a method, with its options; None where either is missing."""
    _, thing, options = MOVED[name]
    try:
        library = importlib.import_module("pytorch_optimizer")
    except ImportError:
        return None
    made = getattr(library, thing, None) if thing else None
    return None if made is None else lambda params: made(params, lr=1e-5, **options)


def measure(name: str, shapes: Shapes, count: int) -> tuple[Ratio, Ratio | None]:
    """A step's time over AdamW's, and over that of pytorch_optimizer's class."""
    params = ready(shapes)
    ours = create(name, params, lr=1e-5)
    adamw = torch.optim.AdamW(params, lr=1e-5, foreach=True)
    beside = pairs(f"{name} to AdamW", ours.step, adamw.step, count)
    del adamw
    make = peer_of(name)
    if make is None:
        return beside, None
    theirs = make(params)
    return beside, pairs(f"{name} to pytorch_optimizer", ours.step, theirs.step, count)


def main(words: list[str]) -> int:
    """A line for each optimizer; 1 where one takes more than 1.3 times what its bytes foretell."""
    parser = argparse.ArgumentParser("python -m bench optimizers")
    parser.add_argument("names", nargs="*", help="optimizers; all by default")
    parser.add_argument("--net", choices=[*NETS], default="resnet50")
    parser.add_argument("--shrink", type=int, default=1, help="divide widths by this")
    parser.add_argument("--count", type=int, default=7, help="pairs of steps")
    parser.add_argument("--threads", type=int, help="of the CPU")
    said = parser.parse_args(words)
    if said.threads:
        torch.set_num_threads(said.threads)
    shapes = list(NETS[said.net](said.shrink))
    numbers = sum(torch.Size(shape).numel() for shape in shapes)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{said.net}: {numbers / 1e6:.1f} million weights in {len(shapes)} tensors")
    print(f"{'method':15} {'ms':>8} {'AdamW':>8} {'time':>6} {'bytes':>6} {'ratio':>6}  to pytorch_optimizer")
    late = 0
    for name in said.names or MOVED:
        beside, peer = measure(name, shapes, said.count)
        time, moved = median(beside.ratios), MOVED[name][0] / ADAMW
        late += time / moved > 1.3
        told = f"{median(peer.ratios):.2f}" if peer else "-"
        print(
            f"{name:15} {1000 * beside.ours:8.1f} {1000 * beside.theirs:8.1f} {time:6.2f} {moved:6.2f} "
            f"{time / moved:6.2f}  {told}",
            flush=True,
        )
    return int(late > 0)
