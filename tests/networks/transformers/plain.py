"""The papers' formulas in plain double precision, from a network's weights alone."""

import math

import numpy as np
import torch


def numbers(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def plain_attention(w, x, heads):
    """Each position, head and earlier position by itself: softmax(q·k / √d_h) v, heads joined by one map."""
    length, width = x.shape
    size = width // heads
    q, k, v = np.split(x @ w["inward.weight"].T + w["inward.bias"], 3, axis=1)
    mixed = np.zeros_like(x)
    for t in range(length):
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            weights = [math.exp(q[t, part] @ k[s, part] / math.sqrt(size)) for s in range(t + 1)]
            mixed[t, part] = sum(a * v[s, part] for s, a in enumerate(weights)) / sum(weights)
    return mixed @ w["outward.weight"].T + w["outward.bias"]


def plain_norm(x, weight, bias):
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * weight + bias


def below(w, prefix):
    return {name.removeprefix(prefix): value for name, value in w.items() if name.startswith(prefix)}


def plain_block(w, x, heads, activation):
    """norm(x + attention(x)), then norm(x + feed(x))."""
    x = plain_norm(x + plain_attention(below(w, "attention."), x, heads), w["norm1.weight"], w["norm1.bias"])
    hidden = np.vectorize(activation)(x @ w["feed.0.weight"].T + w["feed.0.bias"])
    return plain_norm(
        x + hidden @ w["feed.2.weight"].T + w["feed.2.bias"], w["norm2.weight"], w["norm2.bias"]
    )


def tanh_gelu(x):
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def shaken(module):
    """In double precision, with every parameter moved, so that none is 0 or 1."""
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module
