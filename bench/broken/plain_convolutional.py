"""Broken networks of convolutions without shortcuts."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("alexnet", "factor: α divided by 5", "alpha=5 * self.alpha", "alpha=self.alpha"),
    Mutation(
        "alexnet",
        "missing case: the fourth convolution in one group",
        "convolution(c, d, 3, 1, 1, groups, activation)",
        "convolution(c, d, 3, 1, 1, 1, activation)",
    ),
    Mutation(
        "alexnet_torchvision",
        "wrong place: dropout after",
        "nn.Sequential(drop, *layer) if dropout_first else nn.Sequential(*layer, drop)",
        "nn.Sequential(*layer, drop)",
    ),
    Mutation(
        "zfnet",
        "wrong place: normalisation before the pooling",
        "layers[::-1] if normalized_first else layers",
        "layers[::-1]",
    ),
    Mutation(
        "sppnet",
        "axis: grids from coarse to fine",
        "SpatialPyramidPool2d(pyramid) if pyramid",
        "SpatialPyramidPool2d(pyramid[::-1]) if pyramid",
    ),
    Mutation(
        "vgg11",
        "factor: the mean in place of the largest",
        "nn.MaxPool2d(step)",
        "nn.AvgPool2d(step)",
    ),
    Mutation("vgg11_bn", "wrong place: the first weights of a block", "place + (block > 0)", "place"),
    Mutation(
        "nin",
        "missing term: no perceptron after the last convolution",
        "(num_classes,) * 3, 3, 1, 1)",
        "(num_classes,), 3, 1, 1)",
    ),
)
