"""Initial weights without chance: a constant, the identity, and Hadamard's matrix."""

import torch
from torch import Generator, Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError


@method(
    "init_zeros_ones_constant",
    year=1986,
    topics=("fixed",),
    aliases=("init_constant",),
    variants={"init_zeros": {"value": 0.0}, "init_ones": {"value": 1.0}},
)
def constant_(tensor: Tensor, value: float = 0.0, generator: Generator | None = None) -> Tensor:
    """Constant: every number the same, zero by default.

    Good for biases, gains and the last layer of a residual branch; units of one layer whose weights are alike
    get the same gradient and stay alike. Nothing is drawn: `generator` is not used.
    """
    return nn.init.constant_(tensor, value)


@method("init_identity", year=2017, paper="arXiv:1706.00388", topics=("fixed",))
def identity_(tensor: Tensor, groups: int = 1, generator: Generator | None = None) -> Tensor:
    """Identity: each output is one input as it is; a convolution's kernels are one at their middle.

    With more outputs than inputs the later outputs are zero; with fewer, the later inputs are left out.
    groups: a convolution's, each with an identity of its own. Nothing is drawn: `generator` is not used.
    Raises UsageError for tensors that are no weights of a linear layer or a convolution.
    """
    if not 2 <= tensor.ndim <= 5 or (tensor.ndim == 2 and groups != 1) or tensor.shape[0] % groups:
        raise UsageError(
            f"an identity is (outputs, inputs) or a convolution in groups; {tuple(tensor.shape)}, {groups}"
        )
    return nn.init.eye_(tensor) if tensor.ndim == 2 else nn.init.dirac_(tensor, groups)


@method("init_zero_hadamard", year=2021, paper="arXiv:2110.12661", topics=("fixed",), aliases=("zero_init",))
def zero_hadamard_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    r"""ZerO: zeros and ones alone; the identity, or part of a Hadamard matrix where a layer widens.

    Up to as many outputs as inputs: the partial identity. More: $2^{-m/2} I H_m I$, where $H_m$ is
    Hadamard's matrix of $2^m$ rows, the least power that holds the outputs, and the partial identities cut
    out its corner. A convolution has this at the middle of its kernels. The last layer of a residual branch
    is set to zero besides (init_zeros). Nothing is drawn: `generator` is not used.
    Raises UsageError for tensors of fewer than two dimensions.
    """
    if tensor.ndim < 2:
        raise UsageError(f"ZerO sets weights (outputs, inputs, kernel ...), not {tuple(tensor.shape)}")
    outputs, inputs, *kernel = tensor.shape
    with torch.no_grad():
        tensor.zero_()
        middle = tensor
        for size in kernel:
            middle = middle.select(2, size // 2)
        if outputs <= inputs:
            middle.fill_diagonal_(1.0)
        else:
            power = (outputs - 1).bit_length()
            middle.copy_(_hadamard(power)[:outputs, :inputs]).mul_(2 ** (-power / 2))
    return tensor


def _hadamard(power: int) -> Tensor:  # -> (2^power, 2^power)
    """Hadamard's matrix by Sylvester's doubling: [[H, H], [H, -H]]."""
    h, step = torch.ones(1, 1), torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    for _ in range(power):
        h = torch.kron(step, h)
    return h
