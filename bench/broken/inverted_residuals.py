"""Broken networks of inverted residual blocks and of separable convolutions."""

from bench.broken.mutation import Mutation

BLOCK = "networks/lightweight/inverted_residual.py"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "mobilenetv1_100",
        "wrong place: the last block halves, as printed",
        "stride = 2 if place == 0 and",
        "stride = 2 if place in (0, 5) and",
    ),
    Mutation(
        "mobilenetv1_050",
        "factor: the stem as wide as ever",
        "divisible(stem_width * width)",
        "divisible(stem_width)",
    ),
    Mutation(
        "mobilenetv2_100",
        "extra term: the narrow end is activated",
        'add("project", within, channels, active=None)',
        'add("project", within, channels)',
        page=BLOCK,
    ),
    Mutation("mobilenetv2_140", "rule: the last layer narrows too", "max(1.0, width)", "width"),
    Mutation(
        "mobilenetv2_100", "factor: the expansion", "repeated(before, expansion,", "repeated(before, 6,"
    ),
    Mutation(
        "mobilenetv3_large_100",
        "wrong formula: a smooth gate",
        'squeeze=("relu", "hardsigmoid")',
        'squeeze=("relu", "sigmoid")',
    ),
    Mutation(
        "mobilenetv3_small_100",
        "factor: a quarter of the narrow channels",
        "divisible(within / 4) if gate",
        "divisible(channels / 4) if gate",
    ),
    Mutation(
        "efficientnet_b0",
        "factor: a quarter of the inner channels",
        "max(1, int(squeeze * in_channels))",
        "max(1, int(squeeze * expansion * in_channels))",
        page=BLOCK,
    ),
    Mutation("efficientnet_b3", "rule: depth rounded down", "ceil(blocks * depth)", "int(blocks * depth)"),
    Mutation(
        "efficientnetv2_s",
        "extra term: gates in fused blocks",
        "0.0 if fused else 0.25",
        "0.25",
    ),
    Mutation(
        "efficientnetv2_s",
        "missing term: the shortcut",
        "return x + changed if self.around else changed",
        "return changed",
        page=BLOCK,
    ),
)
