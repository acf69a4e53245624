"""Broken networks whose stem, shortcuts, splits or widths were designed anew."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "regnetx_004",
        "factor: a quarter of its own channels",
        "round(in_channels / squeeze)",
        "round(channels / squeeze)",
    ),
    Mutation("regnetx_004", "missing term: powers rounded down", "powers = [round(", "powers = [int("),
    Mutation(
        "resnet50d",
        "factor: the largest in place of the mean",
        "WindowMeans(stride)",
        "nn.MaxPool2d(stride, ceil_mode=True)",
    ),
    Mutation(
        "resnet50d", "factor: a stem of equal widths", "channels // 2, 1 if small", "channels, 1 if small"
    ),
    Mutation("resnest50d", "axis: shares over the channels", "scores.softmax(1)", "scores.softmax(2)"),
    Mutation(
        "resnest50d",
        "axis: scores by maps, then groups",
        "(self.groups, self.radix, -1)).transpose(1, 2)",
        "(self.radix, self.groups, -1))",
    ),
)
