"""Broken networks of searched cells and of counted variances, and the clipping that goes with these."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "nasnet_a_mobile",
        "wrong place: outputs exchanged",
        '(("mean", 0), ("same", 1)),',
        '(("mean", 1), ("same", 0)),',
    ),
    Mutation(
        "nasnet_a_mobile",
        "missing term: the pixels between",
        "(x, F.pad(x, (-1, 1, -1, 1)))",
        "(x, x)",
    ),
    Mutation(
        "nfnet_f0",
        "missing term: the variance of the blocks before",
        "(1.0 if first else variance) + alpha**2",
        "1.0 + alpha**2",
    ),
    Mutation("nfnet_f0", "factor: weights of a half", "shortcut + 2 * self.alpha", "shortcut + self.alpha"),
    Mutation(
        "nfnet_f0",
        "missing term: the mean of a kernel",
        "(self.weight - mean) * (",
        "self.weight * (",
    ),
    Mutation("agc", "missing term: the length of the weights", ".clamp(min=eps) * c", ".clamp(max=eps) * c"),
    Mutation("agc", "wrong axis: one length for all units", "tuple(range(1, x.ndim)) if", "() if"),
)
