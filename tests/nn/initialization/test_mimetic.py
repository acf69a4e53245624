import numpy as np
import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError

WIDTH = 64


def attention(heads: int, seed: int = 0, width: int = WIDTH, **options: object) -> nn.MultiheadAttention:
    layer = nn.MultiheadAttention(width, heads).double()
    nn.init.ones_(layer.in_proj_bias)
    return create("init_mimetic", **options)(layer, generator=torch.Generator().manual_seed(seed))


def products(layer: nn.MultiheadAttention) -> tuple[list[np.ndarray], np.ndarray]:
    """What stands between two tokens for each head, and what becomes of a value."""
    q, k, v = layer.in_proj_weight.detach().numpy().reshape(3, -1, layer.embed_dim)
    size = layer.embed_dim // layer.num_heads
    heads = [q[h : h + size].T @ k[h : h + size] for h in range(0, layer.embed_dim, size)]
    return heads, v.T @ layer.out_proj.weight.detach().numpy().T


def test_without_noise_the_products_are_multiples_of_the_identity():
    layer = attention(1, noise=(0.0, 0.0))
    (scores,), values = products(layer)
    assert np.allclose(scores, 0.7 * np.eye(WIDTH)) and np.allclose(values, -0.4 * np.eye(WIDTH))
    assert not layer.in_proj_bias.any() and not layer.out_proj.bias.any()


def test_the_noise_has_variance_one_over_the_width():
    (scores,), values = products(attention(1, width=200))
    for product, alpha, beta in ((scores, 0.7, 0.7), (values, 0.4, -0.4)):
        noise = (product - beta * np.eye(200)) / alpha
        assert noise.std() == pytest.approx(200**-0.5, rel=0.02)
        assert np.diag(product).mean() == pytest.approx(beta, abs=5 * alpha / 200)


def test_a_narrow_head_keeps_the_largest_singular_values():
    whole = attention(1, noise=(1.0, 0.4))
    u, s, v = np.linalg.svd(products(whole)[0][0])
    heads, values = products(attention(4, noise=(1.0, 0.4)))
    assert np.allclose(heads[0], (u[:, :16] * s[:16]) @ v[:16])  # the first head meets the same noise
    assert [np.linalg.matrix_rank(head) for head in heads] == [16] * 4
    assert not np.allclose(heads[0], heads[1])
    assert np.linalg.matrix_rank(values) == WIDTH


def test_both_factors_share_the_singular_values():
    layer = attention(1)
    q, k, v = layer.in_proj_weight.detach().numpy().reshape(3, WIDTH, WIDTH)
    out = layer.out_proj.weight.detach().numpy()
    for a, b in ((q, k), (v, out.T)):
        assert np.allclose(np.linalg.norm(a, 2), np.linalg.norm(b, 2))


def test_it_gives_the_layer_back_and_refuses_other_widths():
    layer = nn.MultiheadAttention(8, 2, bias=False)
    assert create("init_mimetic")(layer) is layer
    with pytest.raises(UsageError, match="one width"):
        create("init_mimetic")(nn.MultiheadAttention(8, 2, kdim=4))
