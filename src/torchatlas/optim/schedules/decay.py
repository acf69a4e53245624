"""Schedules that only fall. t counts the schedule's steps, γ₀ is the optimizer's own learning rate."""

from ...cards.card import borrowed

borrowed(
    "lr_step",
    "torch.optim.lr_scheduler:StepLR",
    "Step decay: a cut by a factor every few steps",
    formula="γ₀ κ^⌊t / s⌋; κ = gamma = 0.1, s = step_size",
    year=2012,
    tiny={"step_size": 3},
)

borrowed(
    "lr_exponential",
    "torch.optim.lr_scheduler:ExponentialLR",
    "Exponential decay: the same factor every step",
    formula="γ₀ κᵗ; κ = gamma",
    year=2012,
    tiny={"gamma": 0.9},
)

borrowed(
    "lr_cosine",
    "torch.optim.lr_scheduler:CosineAnnealingLR",
    "Cosine annealing: half a cosine wave from the first rate to the last",
    formula="γₘᵢₙ + (γ₀ - γₘᵢₙ) (1 + cos(π t / T)) / 2; γₘᵢₙ = eta_min = 0, T = T_max",
    year=2016,
    paper="arXiv:1608.03983",
    tiny={"T_max": 10},
)

borrowed(
    "lr_poly",
    "torch.optim.lr_scheduler:PolynomialLR",
    "Polynomial decay: a power of the share of steps that is left",
    formula="γ₀ (1 - t / T)ᵖ, 0 after T; T = total_iters, p = power (1; 2 for LARS, 0.9 for segmentation)",
    year=2017,
    paper="arXiv:1708.03888",
    tiny={"total_iters": 10},
)

borrowed(
    "lr_plateau",
    "torch.optim.lr_scheduler:ReduceLROnPlateau",
    "Reduce on plateau: a cut by a factor when a score has not improved for some epochs",
    formula="γ ← factor γ after more than `patience` steps in a row without improvement; step(score)",
    year=2015,
)

borrowed(
    "lr_swalr",
    "torch.optim.swa_utils:SWALR",
    "Annealing to a constant rate, at which weights are then averaged",
    formula="a γ_swa + (1 - a) γ₀, a = (1 - cos(π min(t / T, 1))) / 2; γ_swa = swa_lr, T = anneal_epochs",
    year=2018,
    paper="arXiv:1803.05407",
    tiny={"swa_lr": 0.05, "anneal_epochs": 5},
)
