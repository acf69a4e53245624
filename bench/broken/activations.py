"""Broken formulas of the activations that are our own."""

from bench.broken.mutation import Mutation

CONTEXT = "nn/activations/context.py"
MUTATIONS: tuple[Mutation, ...] = (
    Mutation("step", "missing case: zero", "(x >= 0).to(x.dtype)", "(x > 0).to(x.dtype)"),
    Mutation(
        "step",
        "sign: which way is straight through",
        "gradient if ctx.straight_through else",
        "gradient if not ctx.straight_through else",
    ),
    Mutation(
        "elish",
        "missing term: no gate below zero",
        "F.elu(x) * x.sigmoid()",
        "torch.where(x > 0, F.silu(x), F.elu(x))",
    ),
    Mutation(
        "hardelish",
        "factor: PyTorch's hard sigmoid",
        "((x + 1) / 2).clamp(0, 1)",
        "((x + 3) / 6).clamp(0, 1)",
    ),
    Mutation("isru", "factor: α² for α", "x * alpha**0.5", "x * alpha"),
    Mutation("isru", "factor: α of the slope", "yield _root(x, alpha)", "yield alpha * _root(x, alpha)"),
    Mutation(
        "isrlu",
        "missing term: bent above zero too",
        "return torch.where(x >= 0, x, x / _root(x, alpha))",
        "return x / _root(x, alpha)",
    ),
    Mutation("squareplus", "factor: b² for b", "b**0.5)", "b)"),
    Mutation(
        "swish_beta",
        "missing term: β",
        "return x * (beta * x).sigmoid()",
        "return x * x.sigmoid() + 0 * beta",
    ),
    Mutation("swish_beta", "factor: β of the slope", "yield gate + beta * bent", "yield gate + bent"),
    Mutation("acon", "missing term: p₂ x", "(beta * d * x).sigmoid() + p2 * x", "(beta * d * x).sigmoid()"),
    Mutation("acon", "factor: the gradient by β", "yield d * d * x * bent", "yield d * x * bent"),
    Mutation("acon", "factor: β of the slope", "tilt = gate + beta * d * bent", "tilt = gate + d * bent"),
    Mutation(
        "meta_acon",
        "missing term: an activation between",
        "nn.BatchNorm1d(hidden),",
        "nn.BatchNorm1d(hidden), nn.ReLU(),",
    ),
    Mutation(
        "meta_acon",
        "factor: the largest for the mean",
        "x.flatten(2).mean(2)",
        "x.flatten(2).amax(2)",
        page=CONTEXT,
    ),
    Mutation("apl", "sign: x + b", "y = y + a * (b - x).clamp(min=0)", "y = y + a * (b + x).clamp(min=0)"),
    Mutation(
        "pau", "missing term: no bars below", "horner(a, x) / (1 + total.abs())", "horner(a, x) / (1 + total)"
    ),
    Mutation("pau", "order: the constant below", "total = u * horner(b, u)", "total = horner(b, u)"),
    Mutation("pau", "sign: form a's slope", 'x.sign() if form == "a" else total.sign()', "total.sign()"),
    Mutation(
        "opau",
        "factor: the other Hermite polynomials",
        '"hermite": lambda n: (1, 0, n)',
        '"hermite": lambda n: (2, 0, 2 * n)',
    ),
    Mutation("opau", "missing term: the line's own slope", "a * f + (a * x + b) * now", "(a * x + b) * now"),
    Mutation("opau", "missing term: B of the slope", "a * f + (a * x + b) * now", "a * f + a * x * now"),
    Mutation("pwlu", "factor: two spreads", "self.mean + 3 * self.spread", "self.mean + 2 * self.spread"),
    Mutation("pwlu", "factor: momentum 0.8", "1.0, 0.1)", "1.0, 0.2)"),
    Mutation(
        "pwlu",
        "sign: of the bound's gradient",
        "(-bend * share - above * right)",
        "(bend * share - above * right)",
    ),
    Mutation("sau", "missing term: α in the middle", "+ (1 + alpha) * x / 2", "+ x / 2"),
    Mutation("sau", "factor: variance for deviation", "z = x / sigma\n", "z = x / sigma**2\n"),
    Mutation("sau", "wrong slope: not blurred", "(1 - alpha) * share) / 2", "(1 - alpha) * x.sign()) / 2"),
    Mutation("smu", "missing term: (1 - α) in erf", "d * (mu * d).erf()", "d * (mu * x).erf()"),
    Mutation("smu", "missing term: the slope of erf", "(z.erf() + 2 * z * bell)", "z.erf()"),
    Mutation(
        "smu_1", "missing term: the square", "(1 - alpha) ** 2 * (x / root)", "(1 - alpha) * (x / root)"
    ),
    Mutation(
        "maxout",
        "factor: the mean of the maps",
        "(-1, self.pieces)).max(-1).values",
        "(-1, self.pieces)).mean(-1)",
    ),
    Mutation(
        "maxout_conv",
        "axis: maps of other outputs",
        "unflatten(1, (-1, self.pieces)).max(2)",
        "unflatten(1, (self.pieces, -1)).max(1)",
    ),
    Mutation(
        "dynamic_relu", "factor: λ of the offsets", "OFFSET_RANGE = 1.0, 0.5", "OFFSET_RANGE = 1.0, 1.0"
    ),
    Mutation("dynamic_relu", "missing term: the -1 of θ", ".sigmoid() - 1\n", ".sigmoid()\n"),
    Mutation(
        "dynamic_relu",
        "order: the first of equal ones",
        "piece >= best",
        "piece > best",
        page="nn/activations/pointwise.py",
    ),
    Mutation("dynamic_shift_max", "sign: the other way round", "x.roll(-j * step, 1)", "x.roll(j * step, 1)"),
    Mutation(
        "dynamic_shift_max",
        "missing term: no half taken off",
        "(z / 6 + 0.5).clamp(0, 1) - 0.5",
        "(z / 6 + 0.5).clamp(0, 1)",
    ),
    Mutation(
        "frelu",
        "sign: the smaller",
        "torch.where(x > around, x, around)",
        "torch.where(x < around, x, around)",
    ),
    Mutation("reglu", "order: which half gates", "value * self.gate(gate)", "gate * self.gate(value)"),
    Mutation("geglu", "factor: the tanh form", "return F.gelu(x)", 'return F.gelu(x, approximate="tanh")'),
    Mutation("swiglu", "missing term: the sigmoid alone", "return F.silu(x)", "return F.sigmoid(x)"),
)
