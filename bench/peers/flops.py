"""What a step computes, and what the machine computes at most in a matrix product."""

import warnings

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bench.pairs import timed
from bench.peers.nets import Data, Task, loss

SIZE, TIMES = 2048, 4


def of_step(task: Task, data: Data) -> int:
    """Floating-point operations of a forward and backward pass over one batch, in products and convolutions.

    Attention and recurrent cells are counted in their plain forms: the counter does not see into the CPU's
    fused ones. Attention counts whole, though half of it is masked. Not counted are activations, norms and
    the optimizer.
    """
    net = task.network(data.classes, seed=0)
    with warnings.catch_warnings(), FlopCounterMode(display=False) as counter:
        warnings.simplefilter("ignore", UserWarning)  # the flags speak of TF32
        with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
            loss(net(data.x[: task.batch]), data.y[: task.batch]).backward()
    return int(counter.get_total_flops())


def matrix_product(dtype: torch.dtype) -> float:
    """Floating-point operations a second of products of two matrices of 2048x2048: the best of some."""
    a, b = (torch.randn(SIZE, SIZE).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    seconds = [timed(lambda: torch.mm(a, b, out=out)) for _ in range(TIMES)]
    return 2 * SIZE**3 / min(seconds)
