"""Averages of weights over the steps of training, which PyTorch has: tools, not optimizers."""

from ..cards.card import borrowed

borrowed(
    "swa",
    "torch.optim.swa_utils:AveragedModel",
    "SWA: stochastic weight averaging, a second network with the mean of the weights at chosen steps",
    kind="tool",
    formula="w̄ ← (n w̄ + w) / (n + 1) at each update_parameters(model), n = those before; "
    "batch statistics are then computed anew, by torch.optim.swa_utils.update_bn",
    year=2018,
    paper="arXiv:1803.05407",
)

borrowed(
    "ema_weights",
    "torch.optim.swa_utils:get_ema_multi_avg_fn",
    "EMA of weights: a mean of the weights over all steps that forgets the old ones",
    kind="tool",
    formula="w̄ ← β w̄ + (1 - β) w; β = decay = 0.999; the function moves a list of averages, and is "
    "AveragedModel's multi_avg_fn; ema=0.999 of a recipe validates and keeps the mean",
    year=1992,
    paper="Polyak and Juditsky, SIAM Journal on Control and Optimization",
    aliases=("polyak_averaging",),
)
