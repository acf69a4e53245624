"""Initial weights drawn at random; fan_in and fan_out count a unit's inputs and outputs."""

from ...cards.card import borrowed

borrowed(
    "init_normal",
    "torch.nn.init:normal_",
    "Normal: independent normal numbers",
    formula="w ~ N(mean, std²)",
    year=1986,
)

borrowed(
    "init_uniform",
    "torch.nn.init:uniform_",
    "Uniform: independent numbers from an interval",
    formula="w ~ U(a, b), of variance (b - a)² / 12",
    year=1986,
)

borrowed(
    "init_trunc_normal",
    "torch.nn.init:trunc_normal_",
    "Truncated normal: normal numbers, drawn again outside [a, b]",
    formula="w ~ N(mean, std²) given a ≤ w ≤ b; a and b are weights, not multiples of std",
    year=2015,
)

borrowed(
    "init_xavier",
    "torch.nn.init:xavier_uniform_",
    "Xavier, also Glorot, uniform: variance kept forwards and backwards between linear layers",
    formula="w ~ U(-b, b), b = gain √(6 / (fan_in + fan_out)), of variance 2 gain² / (fan_in + fan_out)",
    year=2010,
    paper="Glorot and Bengio, AISTATS",
    aliases=("init_glorot",),
)

borrowed(
    "init_kaiming",
    "torch.nn.init:kaiming_uniform_",
    "Kaiming, also He, uniform: variance kept through rectified layers",
    formula="w ~ U(-b, b), b = √3 std, std = √(2 / ((1 + a²) fan)); fan = fan_in or fan_out by mode",
    year=2015,
    paper="arXiv:1502.01852",
    aliases=("init_he",),
)

borrowed(
    "init_orthogonal",
    "torch.nn.init:orthogonal_",
    "Orthogonal: a random rotation, so that lengths are kept",
    formula="w wᵀ = gain² I (rows ≤ columns), from the QR decomposition of a normal matrix",
    year=2013,
    paper="arXiv:1312.6120",
)
