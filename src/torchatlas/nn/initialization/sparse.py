"""Sparse initial weights: most of them are zero."""

from math import ceil

import torch
from torch import Generator, Tensor

from ...cards.card import method
from ...engine.errors import UsageError


@method("init_sparse", year=2010, paper="Martens, ICML", tiny={"sparsity": 0.3})
def sparse_(
    tensor: Tensor, sparsity: float = 0.9, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Sparse: a share of each column is zero, the others are normal numbers.

    Of each column ⌈sparsity · rows⌉ numbers are zero, at places drawn for each; the rest is N(0, std²).
    Unlike `torch.nn.init.sparse_` it draws the places from `generator` too.
    Raises UsageError for what is no matrix, and for shares outside 0 to 1.
    """
    if tensor.ndim != 2 or not 0 <= sparsity <= 1:
        raise UsageError(f"this takes a matrix and 0 ≤ sparsity ≤ 1; got {tuple(tensor.shape)}, {sparsity}")
    rows = tensor.shape[0]
    with torch.no_grad():
        tensor.normal_(0, std, generator=generator)
        scores = torch.empty_like(tensor, dtype=torch.float32).uniform_(generator=generator)
        ranks = scores.argsort(0).argsort(0)  # of the rows within each column
        tensor.masked_fill_(ranks < ceil(sparsity * rows - 1e-9), 0)  # 0.07 * 100 is a little more than 7
    return tensor
