"""Broken networks that are dense, wide, pyramids, or of convolutions apart."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("densenet121", "order: new maps first", "(x, self.body(x))", "(self.body(x), x)"),
    Mutation("densenet_cifar", "factor: a stem of 16 in BC too", "width or (2 * growth", "width or (16"),
    Mutation(
        "wrn28_10_cifar", "wrong place: the bare input is projected", "self.shortcut(y)", "self.shortcut(x)"
    ),
    Mutation(
        "wrn28_10_cifar",
        "wrong place: dropout behind both convolutions",
        "norm, act, nn.Dropout(dropout), last,",
        "norm, act, last, nn.Dropout(dropout),",
    ),
    Mutation("pyramidnet110_a48_cifar", "missing term: rounded down", "+ 0.5) for _", ") for _"),
    Mutation(
        "pyramidnet110_a48_cifar",
        "factor: the largest in place of the mean",
        "WindowMeans(2)",
        "nn.MaxPool2d(2, ceil_mode=True)",
    ),
    Mutation("xception", "missing case: the first block activates", "number or activated", "True"),
    Mutation(
        "xception",
        "missing term: no pixel beyond the border",
        "nn.MaxPool2d(3, stride, 1)",
        "nn.MaxPool2d(3, stride, 0, ceil_mode=True)",
    ),
    Mutation(
        "convnext_tiny", "axis: norms over all channels", "dim=(1, 2), keepdim", "dim=(1, 2, 3), keepdim"
    ),
    Mutation(
        "convnextv2_tiny",
        "missing term: no input in GRN's sum",
        "return x + self.weight",
        "return self.weight",
    ),
)
