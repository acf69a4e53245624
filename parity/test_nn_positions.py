"""Positions beside those of transformers: T5, RoFormer, LLaMA, BLOOM, XLNet and DeBERTa."""

import math

import pytest
import torch
from transformers import DebertaConfig, XLNetConfig
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.deberta.modeling_deberta import DisentangledSelfAttention, build_relative_position
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb
from transformers.models.roformer.modeling_roformer import RoFormerSelfAttention
from transformers.models.t5.modeling_t5 import T5Attention
from transformers.models.xlnet.modeling_xlnet import XLNetModel, XLNetRelativeAttention

from torchatlas import create


def heads(count, width, *shape):
    return [torch.randn(2, count, n, width, dtype=torch.double) for n in shape]


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (16, 50)])
def test_t5_buckets(same, bidirectional, buckets, farthest):
    layer = create(
        "t5_rpe", heads=1, buckets=buckets, max_distance=farthest, bidirectional=bidirectional
    ).double()
    with torch.no_grad():
        layer.weight.copy_(torch.arange(float(buckets)))
    q = torch.zeros(1, 1, 300, 4)
    way = torch.arange(300) - torch.arange(300)[:, None]
    theirs = T5Attention._relative_position_bucket(way, bidirectional, buckets, farthest)
    same("t5_rpe", "transformers.T5Attention._relative_position_bucket", layer(q, q)[0], theirs, 0)


def test_rope_interleaved(same):
    q, k = heads(3, 8, 9, 9)
    angles = torch.arange(9, dtype=torch.double)[:, None] / 10_000 ** (torch.arange(0, 8, 2) / 8)
    both = torch.cat((angles.sin(), angles.cos()), 1)[None, None]
    theirs = RoFormerSelfAttention.apply_rotary_position_embeddings(both, q, k)
    for one, other in zip(create("rope")(q, k), theirs, strict=True):
        same("rope", "transformers.RoFormerSelfAttention", one, other, 1e-12)


def test_rope_halves(same):
    q, k = heads(3, 8, 9, 9)
    angles = torch.arange(9, dtype=torch.double)[:, None] / 10_000 ** (torch.arange(0, 8, 2) / 8)
    both = torch.cat((angles, angles), 1)[None]
    theirs = apply_rotary_pos_emb(q, k, both.cos(), both.sin())
    for one, other in zip(create("rope_halves")(q, k), theirs, strict=True):
        same("rope_halves", "transformers.apply_rotary_pos_emb", one, other, 1e-12)


@pytest.mark.parametrize("count", [4, 6, 16])
def test_alibi(same, count):
    """Theirs is up to a constant of each row; the last row's is 0 at the last key."""
    theirs = build_alibi_tensor(torch.ones(1, 7), count, torch.float32)  # (heads, 1, 7)
    q, k = torch.zeros(1, count, 1, 4), torch.zeros(1, count, 7, 4)
    same(
        "alibi",
        "transformers.build_alibi_tensor",
        create("alibi", heads=count)(q, k),
        theirs - theirs[..., -1:],
        1e-6,
    )


def test_xlnet(same):
    config = XLNetConfig(d_model=8, n_head=2, d_head=4, d_inner=8, n_layer=1, vocab_size=9, dropout=0.0)
    theirs = XLNetRelativeAttention(config).double().eval()
    ours = create("xlnet_rpe", heads=2, head_width=4).double()
    q, k, v = heads(2, 4, 6, 6, 6)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_()
        theirs.r_w_bias.copy_(ours.u[:, 0])
        theirs.r_r_bias.copy_(ours.v[:, 0])
        theirs.r.copy_(ours.weight.permute(1, 0, 2))
        position = XLNetModel(config).relative_positional_encoding(6, 6, 2).double()
        keys = torch.einsum("ibh,hnd->ibnd", position, theirs.r)
        rows = (x.permute(2, 0, 1, 3) for x in (q, k, v))
        expected = theirs.rel_attn_core(*rows, keys).permute(1, 2, 0, 3)
    same("xlnet_rpe", "transformers.XLNetRelativeAttention", ours.attend(q, k, v), expected, 1e-6)


@pytest.mark.parametrize(("length", "farthest"), [(5, 8), (9, 3)])
def test_deberta(same, length, farthest):
    config = DebertaConfig(
        hidden_size=8,
        num_attention_heads=2,
        relative_attention=True,
        max_relative_positions=farthest,
        pos_att_type=["c2p", "p2c"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    theirs = DisentangledSelfAttention(config).double().eval()
    ours = create("deberta_rpe", heads=2, head_width=4, max_distance=farthest).double()
    q, k = heads(2, 4, length, length)
    with torch.no_grad():
        ours.table.normal_()
        theirs.pos_proj.weight.copy_(ours.key.weight)
        theirs.pos_q_proj.weight.copy_(ours.query.weight)
        theirs.pos_q_proj.bias.copy_(ours.query.bias.normal_())
        way = build_relative_position(q, k)
        expected = theirs.disentangled_att_bias(q / math.sqrt(12), k, way, ours.table, 3)
    same("deberta_rpe", "transformers.DisentangledSelfAttention", ours(q, k), expected, 1e-7)
