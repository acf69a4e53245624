import math

import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.transformers import GPT, TransformerLM

from .plain import below, numbers, plain_block, shaken, tanh_gelu

SMALL = {"num_classes": 9, "context": 6, "width": 8, "layers": 2, "heads": 2}


def parameters(name, **options):
    with torch.device("meta"):
        return sum(p.numel() for p in create(name, **options).parameters())


def plain(net, ids, heads, activation, scale, positions):
    """The whole network of one row of ids, from its weights alone."""
    w = numbers(net)
    x = scale * w["embedding.weight"][ids] + positions
    for layer in range(len(net.blocks)):
        x = plain_block(below(w, f"blocks.{layer}."), x, heads, activation)
    return x @ w["embedding.weight"].T


def test_gpt_is_the_formula_of_the_paper():
    net, ids = shaken(GPT(**SMALL)).eval(), torch.randint(9, (3, 6))
    for row, one in zip(net(ids).detach().numpy(), ids.numpy(), strict=True):
        expected = plain(net, one, 2, tanh_gelu, 1, numbers(net)["positions.weight"])
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_the_transformer_is_the_formula_of_the_paper():
    net, ids = shaken(TransformerLM(**SMALL)).eval(), torch.randint(9, (3, 4))
    waves = [
        [(math.cos if i % 2 else math.sin)(t / 10_000 ** (2 * (i // 2) / 8)) for i in range(8)]
        for t in range(4)
    ]
    for row, one in zip(net(ids).detach().numpy(), ids.numpy(), strict=True):
        expected = plain(net, one, 2, lambda x: max(x, 0.0), math.sqrt(8), np.array(waves))
        np.testing.assert_allclose(row, expected, atol=1e-6)  # the table of waves is single


def test_sizes():
    full = {"num_classes": 40_478, "context": 512, "width": 768, "layers": 12, "heads": 12}
    assert parameters("gpt", **full) == 116_534_784  # the released model's
    layer = 4 * (512 * 512 + 512) + 2 * 512 * 2048 + 2048 + 512 + 4 * 512
    assert 6 * (layer + layer + 4 * (512 * 512 + 512) + 2 * 512) == 44_138_496  # both halves, as published
    base = {"num_classes": 37_000, "context": 512, "width": 512, "layers": 6, "heads": 8}
    assert parameters("transformer_lm", **base) == 6 * layer + 37_000 * 512


@pytest.mark.parametrize("kind", [GPT, TransformerLM])
def test_one_matrix_is_embedding_and_head(kind):
    net = kind(**SMALL).eval()
    assert [n for n, p in net.named_parameters() if 9 in p.shape] == ["embedding.weight"]
    ids = torch.tensor([[1, 2, 3]])
    before = net(ids)
    with torch.no_grad():
        net.embedding.weight[5] += torch.randn(8)
    moved = net(ids) != before  # id 5 is not read, so its own logit alone may move
    assert moved[..., 5].all() and not moved[..., :5].any()
    with torch.no_grad():
        net.embedding.weight[1] += torch.randn(8)
    assert (net(ids) != before).any(-1).all()


def test_weights_start_as_the_papers_say():
    net = GPT(100, context=64, width=128, layers=2)
    for name, parameter in net.named_parameters():
        if parameter.ndim == 2:
            assert float(parameter.detach().std()) == pytest.approx(0.02, rel=0.05), name
        else:
            assert (parameter == (1 if "norm" in name and "weight" in name else 0)).all(), name
    net = TransformerLM(1000, width=64, layers=1)
    assert float(net.embedding.weight.detach().std()) == pytest.approx(1 / 8, rel=0.05)
    assert float(net.blocks[0].feed[0].weight.detach().abs().max()) == pytest.approx(
        math.sqrt(6 / (64 + 256)), rel=0.01
    )


def test_dropout_falls_where_the_papers_say():
    rates = {GPT: 0.25, TransformerLM: 0.0}
    for kind, of_attention in rates.items():
        net = kind(**SMALL, dropout=0.25)
        assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.25] * 3
        assert [block.attention.dropout for block in net.blocks] == [of_attention] * 2


def test_too_many_ids_are_refused():
    for kind in (GPT, TransformerLM):
        with pytest.raises(UsageError, match="7 places are more than the context of 6"):
            kind(**SMALL)(torch.zeros(1, 7, dtype=torch.long))


def test_the_activation_is_a_part():
    net = GPT(**SMALL, activation="silu")
    assert isinstance(net.blocks[1].feed[1], nn.SiLU)
