"""Broken networks that squeeze, shuffle, or make ghosts."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "squeezenet1_0",
        "missing term: nothing beyond the border is pooled",
        "nn.MaxPool2d(3, 2, ceil_mode=True)",
        "nn.MaxPool2d(3, 2)",
    ),
    Mutation(
        "squeezenet1_0_complex",
        "missing case: convolutions alone",
        "if bypass and in_channels == width:",
        'if bypass == "simple" and in_channels == width:',
    ),
    Mutation("squeezenext", "axis: 3×1 first everywhere", "bool(number % 2), rates", "False, rates"),
    Mutation(
        "squeezenext_g",
        "missing term: the first 1×1 is whole",
        "half, 1, stride, groups,",
        "half, 1, stride, 1,",
    ),
    Mutation("squeezenext_v5", "wrong place: beside all the same", 'transition == "shared"', "False"),
    Mutation("shufflenet_v1", "missing term: no shuffle", "nn.ChannelShuffle(groups)", "nn.Identity()"),
    Mutation(
        "shufflenet_v1",
        "order: the pooled input first",
        "(self.body(x), self.shortcut(x))",
        "(self.shortcut(x), self.body(x))",
    ),
    Mutation(
        "shufflenet_v2_x1_0",
        "sign: the other half passes through",
        "x.chunk(2, 1)",
        "x.chunk(2, 1)[::-1]",
    ),
    Mutation("shufflenet_v2_x1_0", "missing term: no shuffle", "nn.ChannelShuffle(2)", "nn.Identity()"),
    Mutation("ghostnet_100", "missing term: a smooth sigmoid", 'gate="hardsigmoid"', 'gate="sigmoid"'),
    Mutation(
        "ghostnet_100",
        "missing term: the second ghosts are activated",
        "GhostModule(within, channels, activation=None)",
        "GhostModule(within, channels, activation=activation)",
    ),
)
