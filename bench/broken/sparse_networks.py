"""Broken networks of sparse layers, filters along channels, dynamic activations and distances."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "igcv1",
        "missing term: channels are not turned back",
        "            nn.ChannelShuffle(secondary),\n",
        "",
    ),
    Mutation(
        "igcv1",
        "factor: the first is like the others",
        "others if k else secondary",
        "others if k else others",
    ),
    Mutation(
        "igcv2",
        "axis: shuffled the other way",
        "nn.ChannelShuffle(channels // size)",
        "nn.ChannelShuffle(size)",
    ),
    Mutation(
        "channelnet_v1",
        "wrong place: zeros after the last channel alone",
        "F.pad(x.flatten(2)[:, None], (0, 0, *self.around))",
        "F.pad(x.flatten(2)[:, None], (0, 0, 0, sum(self.around)))",
    ),
    Mutation(
        "channelnet_v3",
        "missing term: no identity around groups",
        "y: Tensor = x + self.body(x)",
        "y: Tensor = self.body(x)",
    ),
    Mutation(
        "micronet_m0",
        "factor: groups of the first convolution",
        "shift_max(wide, wide // row.first[1], row)",
        "shift_max(wide, row.first[1], row)",
    ),
    Mutation("micronet_m0", "factor: squeezed by 8", "_out(wide, row, 4)\n", "_out(wide, row, 8)\n"),
    Mutation(
        "addernet",
        "wrong thing: products in the shortcut",
        "return adder_norm(in_channels, channels, 1, stride, eta)",
        "return conv_norm(in_channels, channels, 1, stride, activation=None)",
    ),
    Mutation(
        "compconv",
        "wrong thing: the largest of all are copies of B",
        "beside = self.tail(made) if part is None else part",
        "beside = made + 0 * self.tail(made) if part is None else part",
    ),
    Mutation("compconv", "factor: no depth beyond two", "DEEPEST = 3", "DEEPEST = 2"),
)
