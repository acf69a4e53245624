"""One or two broken formulas for each norm, initialisation and pooling beyond the first shelves."""

from bench.broken.mutation import Mutation, borrowed, rebound

DEVIATION = "nn/normalization/deviation.py"
NORMS = (
    Mutation(
        "l1_batch_norm", "missing term: no absolute value", "(x - mean).abs()", "(x - mean)", page=DEVIATION
    ),
    Mutation(
        "generalized_batch_norm",
        "wrong centre: mean",
        "rows.median(1).values",
        "rows.mean(1)",
        page=DEVIATION,
    ),
    Mutation(
        "generalized_batch_norm",
        "factor: the whole range",
        "high / 2 - low / 2",
        "high - low",
        page=DEVIATION,
    ),
    Mutation(
        "batch_renorm",
        "factor: running variance biased",
        "spread * (count / (count - 1))",
        "spread",
        page=DEVIATION,
    ),
    Mutation(
        "batch_renorm",
        "sign: of d",
        "((centre - wide(self.running_centre))",
        "((wide(self.running_centre) - centre)",
    ),
    Mutation(
        "batch_renorm", "extra gradient: through r", "r = (own / running).detach()", "r = (own / running)"
    ),
    Mutation(
        "switchable_norm",
        "missing term: between channels",
        ".mean(1, keepdim=True) + spread_of_means",
        ".mean(1, keepdim=True)",
    ),
    Mutation(
        "switchable_norm",
        "axis: one softmax for both",
        "self.var_weight.to(x.dtype)",
        "self.mean_weight.to(x.dtype)",
    ),
    Mutation("spade", "missing term: γ for 1 + γ", "(1 + self.gamma(seen))", "self.gamma(seen)"),
    Mutation("adain", "factor: the content's own deviation", "(new_spread / spread)", "(1 / spread)"),
    Mutation("frn", "extra term: the mean is taken off", "numbers.square().mean(", "numbers.var("),
    Mutation("frn", "sign: the smaller of both", "torch.maximum(y", "torch.minimum(y"),
    Mutation(
        "pre_ln",
        "wrong place: the norm on the shortcut too",
        "x + self.branch(self.norm(x))",
        "self.norm(x) + self.branch(self.norm(x))",
    ),
    Mutation(
        "post_ln",
        "wrong place: before the sum",
        "self.norm(x + self.branch(x))",
        "x + self.norm(self.branch(x))",
    ),
    Mutation(
        "mix_ln",
        "order: Pre-LN first",
        "PostLN if place < late else PreLN",
        "PreLN if place < late else PostLN",
    ),
    Mutation("layernorm_scaling", "factor: 1 / layer", "layer**-0.5", "1 / layer"),
    Mutation("dyt", "factor: no α", "torch.tanh(wide(self.alpha) * x)", "torch.tanh(x)"),
    Mutation("dyisru", "factor: no root of d", "math.sqrt(self.num_features) * x", "x"),
    Mutation("rezero", "start: α = 1", "alpha: float = 0.0", "alpha: float = 1.0"),
    Mutation("skipinit", "factor: 1 / blocks", "blocks**-0.5", "1 / blocks"),
    Mutation("fixup", "exponent: 2m for 2m - 2", "(2 * layers - 2)", "(2 * layers)"),
    Mutation("fixup", "missing case: the last layer is not zero", "nn.init.zeros_(convs[-1].weight)", "pass"),
    Mutation("cosine_norm", "missing term: the input's length", "F.normalize(wide(x), dim=-1)", "wide(x)"),
    Mutation("whitening", "factor: divisor n - 1", "len(x) ** 0.5", "(len(x) - 1) ** 0.5"),
    Mutation("whitening", "form: principal axes for both", "return scores @ axes", "pass"),
    rebound(
        "minmax_norm",
        "wrong scale: variance one",
        "sklearn.preprocessing:minmax_scale",
        "sklearn.preprocessing:scale",
    ),
    rebound(
        "standardization",
        "wrong scale: 0 to 1",
        "sklearn.preprocessing:scale",
        "sklearn.preprocessing:minmax_scale",
    ),
    rebound(
        "weight_norm",
        "wrong norm: spectral",
        "torch.nn.utils.parametrizations:weight_norm",
        "torch.nn.utils.parametrizations:spectral_norm",
    ),
    rebound(
        "spectral_norm",
        "wrong norm: of each row",
        "torch.nn.utils.parametrizations:spectral_norm",
        "torch.nn.utils.parametrizations:weight_norm",
    ),
    Mutation(
        "adabn",
        "missing step: statistics stay",
        '"torch.optim.swa_utils:update_bn"',
        '"HERE:broken"',
        "def broken(loader, model, device=None):\n    pass",
    ),
)

INITIALIZATIONS = (
    Mutation(
        "init_zeros_ones_constant",
        "factor: half",
        "nn.init.constant_(tensor, value)",
        "nn.init.constant_(tensor, value / 2)",
    ),
    Mutation(
        "init_identity", "missing case: groups", "nn.init.dirac_(tensor, groups)", "nn.init.dirac_(tensor)"
    ),
    Mutation("init_zero_hadamard", "factor: one power less", "2 ** (-power / 2)", "2 ** (-(power - 1) / 2)"),
    Mutation("init_zero_hadamard", "sign: of a quarter", "[1.0, -1.0]])", "[-1.0, 1.0]])"),
    Mutation("init_sparse", "axis: by rows", "scores.argsort(0).argsort(0)", "scores.argsort(1).argsort(1)"),
    Mutation("init_mimetic", "sign: of values", "noise[1], -identity[1]", "noise[1], identity[1]"),
    Mutation("init_mimetic", "factor: variance one", "std=width**-0.5, ", ""),
)

POOLS = (
    Mutation("min_pool", "sign: the largest", "-super().forward(-input)", "super().forward(input)"),
    Mutation(
        "mixed_pool",
        "wrong choice: the rarer in evaluation",
        "self.drawn[0] >= self.drawn[1]",
        "self.drawn[0] <= self.drawn[1]",
    ),
    Mutation(
        "mixed_pool_learned",
        "factor: shares swapped",
        "share * largest + (1 - share) * mean",
        "share * mean + (1 - share) * largest",
    ),
    Mutation("mixed_pool_sum", "missing term: the mean", "largest + mean\n", "largest\n"),
    Mutation("mixed_pool_concat", "order: means first", "(largest, mean), 1)", "(mean, largest), 1)"),
    borrowed(
        "fractional_max_pool",
        "sign: the smallest",
        "torch.nn:FractionalMaxPool2d",
        "return -super().forward(-x)",
    ),
    Mutation(
        "stochastic_pool", "missing weight: the mean in evaluation", "* a).sum(-1).to", "* 1.0).sum(-1).to"
    ),
    Mutation(
        "stochastic_pool",
        "wrong chance: even",
        "a.detach().cumsum(-1) <=",
        "torch.ones_like(a).cumsum(-1) * total.detach() / a.shape[-1] <=",
    ),
    Mutation(
        "s3_pool",
        "missing step: no maximum",
        "largest = F.max_pool2d(padded, self.kernel_size, 1)",
        "largest = x",
    ),
    Mutation(
        "s3_pool",
        "wrong draw: the first rows of each grid",
        "scores.argsort(1)[:, :keep]",
        "scores.sort(1).indices.sort(1).values[:, :keep]",
    ),
    Mutation("dpp", "factor: power λ for λ / 2", "** (power / 2)", "** power"),
    Mutation("dpp", "missing case: symmetric always", 'self.form == "asymmetric"', 'self.form == "never"'),
    Mutation("lip", "factor: 6", "coefficient: float = 12.0", "coefficient: float = 6.0"),
    Mutation("soft_pool", "axis: over columns of windows", "a.softmax(-1)", "a.softmax(-2)"),
    Mutation(
        "covariance_pool", "missing term: no logarithm", "values.log()[..., None, :]", "values[..., None, :]"
    ),
    Mutation(
        "covariance_pool",
        "wrong slope: alike eigenvalues",
        "square() / 12) / mean",
        "square() / 12) / mean / 2",
    ),
    Mutation("spp", "wrong number: the mean", "F.adaptive_max_pool2d(", "F.adaptive_avg_pool2d("),
    Mutation("roi_pool", "missing term: the last position", "(last - first + 1)", "(last - first)"),
    Mutation("roi_pool", "rounding: halves to even", "x.sign() * (x.abs() + 0.5).floor()", "x.round()"),
    Mutation("bilinear_pool", "missing term: no roots", "z * (z.abs() + SMALL).rsqrt()", "z"),
    Mutation("compact_bilinear_pool", "missing signs", "(a * self.first_signs[:, None])", "a"),
    Mutation(
        "compact_bilinear_pool",
        "sign: correlation for convolution",
        "self.first_places[:, None] + self",
        "self.first_places[:, None] - self",
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*NORMS, *INITIALIZATIONS, *POOLS)
