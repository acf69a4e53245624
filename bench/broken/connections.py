"""Broken skip connections."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("skip_connection", "missing term: the input", "return x + y", "return y"),
    Mutation(
        "skip_connection",
        "sign: the gate closes the input's way",
        "x + gate * (y - x)",
        "y + gate * (x - y)",
    ),
    Mutation(
        "skip_connection",
        "order: the input comes last",
        "torch.cat((x, y), self.dim)",
        "torch.cat((y, x), self.dim)",
    ),
    Mutation(
        "highway", "axis: no gate", '(layer(width), "gated", width, gate_bias=gate_bias)', "(layer(width))"
    ),
)
