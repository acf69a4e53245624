import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.networks.transformers.block import CausalSelfAttention, post_norm_blocks

from .plain import numbers, plain_attention, plain_block, shaken, tanh_gelu


def test_attention_is_the_formula_of_the_paper():
    attention, x = shaken(CausalSelfAttention(12, 3)), torch.randn(2, 7, 12, dtype=torch.double)
    got = attention(x).detach().numpy()
    for row, sample in zip(got, x.numpy(), strict=True):
        np.testing.assert_allclose(row, plain_attention(numbers(attention), sample, 3), atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh_gelu"])
def test_the_block_is_the_formula_of_the_paper(activation):
    ours = {"relu": "relu", "tanh_gelu": lambda: nn.GELU(approximate="tanh")}[activation]
    plain = {"relu": lambda x: max(x, 0.0), "tanh_gelu": tanh_gelu}[activation]
    (block,) = post_norm_blocks(1, 8, 2, ours, dropout=0.0)
    shaken(block)
    x = torch.randn(2, 5, 8, dtype=torch.double)
    for row, sample in zip(block(x).detach().numpy(), x.numpy(), strict=True):
        np.testing.assert_allclose(row, plain_block(numbers(block), sample, 2, plain), atol=1e-12)


def test_the_block_is_pytorchs_under_a_causal_mask():
    (block,) = post_norm_blocks(1, 16, 4, "relu", dropout=0.3)
    shaken(block).eval()
    theirs = nn.TransformerEncoderLayer(16, 4, 64, dropout=0.3, batch_first=True).double().eval()
    own, x = block.state_dict(), torch.randn(3, 6, 16, dtype=torch.double)
    names = {
        "self_attn.in_proj_": "attention.inward.",
        "self_attn.out_proj.": "attention.outward.",
        "linear1.": "feed.0.",
        "linear2.": "feed.2.",
        "norm1.": "norm1.",
        "norm2.": "norm2.",
    }
    theirs.load_state_dict(
        {their + end: own[our + end] for their, our in names.items() for end in ("weight", "bias")}
    )
    mask = nn.Transformer.generate_square_subsequent_mask(6, dtype=torch.double)
    torch.testing.assert_close(block(x), theirs(x, src_mask=mask, is_causal=True), rtol=0, atol=1e-12)


def test_dropout_of_the_attention_is_for_training_alone():
    attention, x = CausalSelfAttention(8, 2, dropout=0.5), torch.randn(1, 6, 8)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_heads_must_divide_the_width():
    with pytest.raises(UsageError, match="multiple of heads=3"):
        CausalSelfAttention(16, 3)
