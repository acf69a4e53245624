"""Broken Inception networks."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "googlenet",
        "rule: a mean",
        "Keep(partial(nn.MaxPool2d, 3, 1, 1))",
        "Keep(partial(nn.AvgPool2d, 3, 1, 1))",
    ),
    Mutation("googlenet", "wrong place: the first head after 3b", "{1: head, 2: head}", "{0: head, 2: head}"),
    Mutation("inception_v2", "factor: eps of the others", "bias=bias, eps=1e-5", "bias=bias"),
    Mutation(
        "inception_v2",
        "wrong place: pooling over the first border",
        "(0, x.shape[3] % 2, 0, x.shape[2] % 2)",
        "(x.shape[3] % 2, 0, x.shape[2] % 2, 0)",
    ),
    Mutation(
        "inception_v3",
        "axis: a column before the row",
        "Conv(width, ROW), Conv(192, COLUMN))",
        "Conv(width, COLUMN), Conv(192, ROW))",
    ),
    Mutation(
        "inception_v4",
        "factor: the border counts",
        "nn.AvgPool2d, 3, 1, 1, count_include_pad=False",
        "nn.AvgPool2d, 3, 1, 1, count_include_pad=True",
        page="networks/convolutional/inception_blocks.py",
    ),
    Mutation("inception_resnet_v2", "missing term: the scale", "self.scale * found", "found"),
    Mutation(
        "inception_resnet_v2", "missing case: the last block", "scale=1.0, activated=False", "scale=1.0"
    ),
)
