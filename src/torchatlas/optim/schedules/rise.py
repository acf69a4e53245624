"""Schedules that also rise. t counts the schedule's steps, γ₀ is the optimizer's own learning rate."""

from ...cards.card import borrowed

borrowed(
    "lr_cyclic",
    "torch.optim.lr_scheduler:CyclicLR",
    "Cyclic: up and down in straight lines between a lowest and a highest rate",
    formula="base_lr + (max_lr - base_lr) max(0, 1 - |t/s - 2 ⌊1 + t/(2s)⌋ + 1|); s = step_size_up",
    year=2015,
    paper="arXiv:1506.01186",
    options={"cycle_momentum": False},
    tiny={"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4},
)

borrowed(
    "lr_warmup",
    "torch.optim.lr_scheduler:LinearLR",
    "Gradual warm-up: a straight line up to the first rate, which then stays",
    formula="γ₀ (s + (1 - s) min(t / T, 1)); s = start_factor = 1/3, T = total_iters = 5",
    year=2017,
    paper="arXiv:1706.02677",
)
