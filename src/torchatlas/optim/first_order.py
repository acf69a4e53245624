"""First-order optimizers of PyTorch. In the formulas g is the gradient, θ the weights, γ the rate."""

from ..cards.card import borrowed

borrowed(
    "sgd",
    "torch.optim:SGD",
    "SGD: a step against the gradient of each mini-batch",
    formula="θ ← θ - γ g",
    year=1951,
    paper="Robbins and Monro, Annals of Mathematical Statistics",
    recipe={"lr": 0.1},
)

borrowed(
    "momentum_sgd",
    "torch.optim:SGD",
    "SGD with momentum: steps along a decaying sum of the gradients",
    formula="m ← μ m + g; θ ← θ - γ m; μ = 0.9",
    year=1964,
    paper="Polyak, USSR Computational Mathematics",
    aliases=("momentum",),
    options={"momentum": 0.9},
    recipe={"lr": 0.01},
    parent="sgd",
)

borrowed(
    "nag",
    "torch.optim:SGD",
    "Nesterov's accelerated gradient: momentum that looks one step ahead",
    formula="m ← μ m + g; θ ← θ - γ (g + μ m); μ = 0.9",
    year=2013,
    paper="Sutskever et al., ICML",
    aliases=("nesterov",),
    options={"momentum": 0.9, "nesterov": True},
    recipe={"lr": 0.01},
    parent="momentum_sgd",
)

borrowed(
    "rprop",
    "torch.optim:Rprop",
    "RProp: each weight has its own step, which only the gradients' signs change; for full batches",
    formula="η ← 1.2 η where g keeps its sign, 0.5 η and g := 0 where it turns, within [1e-6, 50]; "
    "θ ← θ - η sign(g)",
    year=1993,
    paper="Riedmiller and Braun, ICNN",
)

borrowed(
    "adagrad",
    "torch.optim:Adagrad",
    "AdaGrad: steps shrink with the sum of all squared gradients, for each weight",
    formula="v ← v + g²; θ ← θ - γ g / (√v + ε); ε = 1e-10",
    year=2011,
    paper="Duchi et al., JMLR 12",
)

borrowed(
    "rmsprop",
    "torch.optim:RMSprop",
    "RMSProp: AdaGrad that forgets, by a moving average of squared gradients",
    formula="v ← ρ v + (1 - ρ) g²; θ ← θ - γ g / (√v + ε); ρ = alpha = 0.99, ε = 1e-8",
    year=2012,
    paper="Tieleman and Hinton, Coursera lecture 6.5",
    recipe={"lr": 0.001},
)

borrowed(
    "adadelta",
    "torch.optim:Adadelta",
    "AdaDelta: steps in the weights' own units, from a moving average of squared steps",
    formula="v ← ρ v + (1 - ρ) g²; Δ = √(X + ε) / √(v + ε) g; X ← ρ X + (1 - ρ) Δ²; θ ← θ - γ Δ; "
    "γ = 1, ρ = 0.9 (the paper's 0.95), ε = 1e-6",
    year=2012,
    paper="arXiv:1212.5701",
)

borrowed(
    "adam",
    "torch.optim:Adam",
    "Adam: momentum divided by the root of the mean squared gradient, both corrected for their start",
    formula="m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²; "
    "θ ← θ - γ m/(1 - β₁ᵗ) / (√(v/(1 - β₂ᵗ)) + ε); β = (0.9, 0.999), ε = 1e-8",
    year=2014,
    paper="arXiv:1412.6980",
)

borrowed(
    "adamw",
    "torch.optim:AdamW",
    "AdamW: Adam with weight decay apart from the gradient",
    formula="θ ← θ - γ λ θ, then Adam's step; λ = weight_decay = 0.01",
    year=2017,
    paper="arXiv:1711.05101",
    parent="adam",
)

borrowed(
    "adamax",
    "torch.optim:Adamax",
    "Adamax: Adam with the largest recent gradient in place of the mean squared one",
    formula="u ← max(β₂ u, |g| + ε); θ ← θ - γ/(1 - β₁ᵗ) m / u; m as in Adam, γ = 0.002",
    year=2014,
    paper="arXiv:1412.6980",
    parent="adam",
)

borrowed(
    "nadam",
    "torch.optim:NAdam",
    "NAdam: Adam with Nesterov's look ahead",
    formula="μₜ = β₁ (1 - 0.96^(tψ) / 2), ψ = 0.004; "
    "m̂ = μₜ₊₁ m / (1 - Πᵢ≤ₜ₊₁ μᵢ) + (1 - μₜ) g / (1 - Πᵢ≤ₜ μᵢ); "
    "θ ← θ - γ m̂ / (√(v/(1 - β₂ᵗ)) + ε); γ = 0.002",
    year=2016,
    paper="Dozat, ICLR workshop",
    parent="adam",
)

borrowed(
    "amsgrad",
    "torch.optim:Adam",
    "AMSGrad: Adam whose denominator never falls",
    formula="w ← max(w, v); θ ← θ - γ m/(1 - β₁ᵗ) / (√(w/(1 - β₂ᵗ)) + ε); the paper corrects neither",
    year=2018,
    paper="arXiv:1904.09237",
    options={"amsgrad": True},
    parent="adam",
)

borrowed(
    "radam",
    "torch.optim:RAdam",
    "RAdam: plain momentum until the variance of Adam's denominator is small enough to be corrected",
    formula="ρ∞ = 2/(1 - β₂) - 1, ρₜ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ); "
    "where ρₜ > 5 (the paper's 4) Adam's step times "
    "√((ρₜ - 4)(ρₜ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρₜ)), else θ ← θ - γ m/(1 - β₁ᵗ)",
    year=2019,
    paper="arXiv:1908.03265",
    parent="adam",
)
