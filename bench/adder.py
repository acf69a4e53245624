"""The adder convolution against the broadcast that writes all differences down, in time and in memory.

Maps of (16, 16, 16, 16), 16 to 32 channels, windows of 3×3, single precision. The other side computes the
same values and the same gradients as one expression each: unfold, |x[:, None] - w|, sum. Times are of
alternating pairs; memory is the highest that a process of its own came to above what it held before the call.
Options: the number of pairs (15).
"""

import math
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.pairs import pairs
from torchatlas.nn.convolutions import AdderConv2d

SHAPE, OUT, SIDE = (16, 16, 16, 16), 32, 3


class Broadcast(torch.autograd.Function):
    """The same layer with every difference of a pass in one tensor."""

    @staticmethod
    def forward(ctx: Any, columns: Tensor, weight: Tensor) -> Tensor:  # (b, k, l), (o, k) -> (b, o, l)
        ctx.save_for_backward(columns, weight)
        return -(columns[:, None] - weight[:, :, None]).abs().sum(2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        columns, weight = ctx.saved_tensors
        differences = columns[:, None] - weight[:, :, None]  # (b, o, k, l)
        for_weight = (differences * grad[:, :, None]).sum((0, 3))
        for_weight = for_weight * (0.2 * math.sqrt(weight.numel()) / for_weight.norm())
        return (-differences.clamp(-1, 1) * grad[:, :, None]).sum(1), for_weight


def prepared(batch: int) -> tuple[AdderConv2d, Tensor, Tensor]:
    """The layer, a batch that wants a gradient, and the gradient of its output."""
    torch.manual_seed(0)
    layer = AdderConv2d(SHAPE[1], OUT, SIDE, padding=1)
    x = torch.randn(batch, *SHAPE[1:], requires_grad=True)
    return layer, x, torch.randn(batch, OUT, *SHAPE[2:])


def broadcast(layer: AdderConv2d, x: Tensor) -> Tensor:
    """What the layer does, by the broadcast."""
    y: Tensor = Broadcast.apply(layer.window.columns(x), layer.weight.flatten(1))
    return y.unflatten(2, layer.window.places(x.shape[-2:]))


def sides(batch: int = SHAPE[0]) -> dict[str, Callable[[bool], list[Tensor]]]:
    """Ours and theirs: a pass forward, or forward and backward; what they give."""
    layer, x, grad = prepared(batch)

    def run(call: Callable[[Tensor], Tensor], backward: bool) -> list[Tensor]:
        if not backward:
            with torch.no_grad():
                return [call(x)]
        y = call(x)
        return [y.detach(), *torch.autograd.grad(y, (x, layer.weight), grad)]

    return {
        "ours": lambda backward: run(layer, backward),
        "broadcast": lambda backward: run(lambda x: broadcast(layer, x), backward),
    }


def highest() -> int:
    """The most memory that this process has held so far, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def grown(side: str) -> float:
    """MiB by which a process of its own grows in one pass forward and backward."""
    code = (  # one sample first, so that libraries are loaded
        f"from bench import adder; adder.sides(1)[{side!r}](True); call = adder.sides()[{side!r}]; "
        "before = adder.highest(); call(True); print(adder.highest() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) / 2**20


def main(words: list[str]) -> int:
    """`python -m bench adder [PAIRS]`."""
    count, both = int(words[0]) if words else 15, sides()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, maps {SHAPE}, {OUT} outputs")
    for a, b in zip(both["ours"](True), both["broadcast"](True), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)
    for name, backward in (("forward", False), ("forward and backward", True)):
        ours, theirs = (partial(way, backward) for way in both.values())
        ratio = pairs(name, ours, theirs, count)
        print(f"{ratio}; {1 / sorted(ratio.ratios)[count // 2]:.1f} times as fast")
    if Path("/proc/self/status").exists():
        print(f"memory: {grown('ours'):.0f} MiB against {grown('broadcast'):.0f} MiB, forward and backward")
    return 0
