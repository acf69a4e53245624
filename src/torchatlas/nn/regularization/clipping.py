"""Gradient clipping: gradients that are too large are cut before the weights move by them."""

from ...cards.card import borrowed

borrowed(
    "grad_clip_norm",
    "torch.nn.utils:clip_grad_norm_",
    "Gradient clipping by norm: all gradients are scaled down together to a largest length",
    kind="tool",
    formula="g · min(1, c / (‖g‖ + 10⁻⁶)), ‖g‖ the length of all gradients as one vector, c = max_norm",
    year=2012,
    paper="arXiv:1211.5063",
    topics=("regularization",),
)

borrowed(
    "grad_clip_value",
    "torch.nn.utils:clip_grad_value_",
    "Gradient clipping by value: each number of a gradient is cut to an interval about zero",
    kind="tool",
    formula="min(c, max(-c, g)) for each number g, c = clip_value",
    year=2012,
    paper="Mikolov, PhD thesis, Brno 2012",
    topics=("regularization",),
)
