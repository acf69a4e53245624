"""In training, where the layers draw noise: traced as one graph, without memory, and in coarse precision."""

import pytest
import torch

from torchatlas.cards.reader import catalog, create

LAYERS = [c for c in catalog().values() if c.family == "nn/regularization" and c.kind in ("layer", "pool")]


@pytest.mark.parametrize("card", LAYERS, ids=lambda card: card.name)
def test_noise_neither_breaks_a_graph_nor_waits_for_numbers(card):
    layer, x = create(card.name, **card.tiny), torch.rand(3, 4, 4, 4)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=False)
    leaf = x.clone().requires_grad_()
    y = compiled(leaf)
    y.sum().backward()
    assert y.isfinite().all() and leaf.grad.isfinite().all()
    with torch.device("meta"):
        assert create(card.name, **card.tiny)(torch.rand(3, 4, 4, 4)).shape == y.shape
    for dtype in (torch.bfloat16, torch.float16):
        coarse = create(card.name, **card.tiny).to(dtype)(x.to(dtype))
        assert coarse.dtype == dtype and coarse.isfinite().all()
    assert create(card.name, **card.tiny)(x[:0]).shape[0] == 0


@pytest.mark.parametrize("card", LAYERS, ids=lambda card: card.name)
@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_far_numbers_stay_finite_with_their_gradients(card, value):
    x = torch.full((3, 4, 4, 4), value, requires_grad=True)
    y = create(card.name, **card.tiny)(x)
    y.sum().backward()
    assert y.isfinite().all() and x.grad.isfinite().all()
