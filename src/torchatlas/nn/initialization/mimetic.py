"""Initial weights of attention that look like trained ones."""

import torch
from torch import Generator, Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError


@method("init_mimetic", kind="tool", year=2023, paper="arXiv:2305.09828", topics=("attention",))
def mimetic_(
    attention: nn.MultiheadAttention,
    noise: tuple[float, float] = (0.7, 0.4),
    identity: tuple[float, float] = (0.7, 0.4),
    generator: Generator | None = None,
) -> nn.MultiheadAttention:
    r"""Mimetic initialisation: tokens first look for themselves, and take their own value off.

    Of each head $W_Q W_K^T \approx \alpha_1 Z + \beta_1 I$, and of all heads together
    $W_V W_O \approx \alpha_2 Z - \beta_2 I$, with independent $Z \sim N(0, 1/d)$. Each is split in two by its
    singular values, the largest ones where a head is narrower than d. noise: α₁ and α₂; identity: β₁ and β₂.
    Biases become zero. Sets the weights of a `torch.nn.MultiheadAttention` and returns it.
    Raises UsageError where keys or values have another width than queries.
    """
    heads = attention.num_heads
    if attention.in_proj_weight is None:
        raise UsageError("this takes attention whose queries, keys and values have one width")
    with torch.no_grad():
        queries, keys, values = attention.in_proj_weight.chunk(3)  # each (d, d), head after head
        for query, key in zip(queries.chunk(heads), keys.chunk(heads), strict=True):  # (d/h, d)
            left, right = _split(_target(queries, noise[0], identity[0], generator))
            query.copy_(left[:, : len(query)].T)
            key.copy_(right[: len(key)])
        left, right = _split(_target(queries, noise[1], -identity[1], generator))
        values.copy_(left.T)
        attention.out_proj.weight.copy_(right.T)
        for bias in (attention.in_proj_bias, attention.out_proj.bias):
            if bias is not None:
                bias.zero_()
    return attention


def _target(like: Tensor, alpha: float, beta: float, generator: Generator | None) -> Tensor:
    """The product that is aimed at, α Z + β I."""
    width = len(like)
    z = torch.empty_like(like).normal_(std=width**-0.5, generator=generator)
    return alpha * z + beta * torch.eye(width, dtype=like.dtype, device=like.device)


def _split(product: Tensor) -> tuple[Tensor, Tensor]:
    """Two factors of one matrix, with the singular values shared out evenly; the largest come first."""
    u, s, v = torch.linalg.svd(product)
    return u * s.sqrt(), s.sqrt()[:, None] * v
