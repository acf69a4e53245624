"""The highway network: deep stacks of layers through which gates let the input pass."""

from torch import Tensor, nn

from ...cards.card import method
from ...nn.choosing import Choice, chosen
from ...nn.connections.skip import SkipConnection


@method(
    "highway",
    year=2015,
    paper="arXiv:1505.00387",
    aliases=("highway_network",),
    topics=("classification", "regression"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 64,
        "epochs": 30,
    },
    tiny={"in_features": 12, "num_classes": 3, "width": 8, "depth": 2},
)
class Highway(nn.Module):
    r"""Highway network: $y = T(x) \phi(W_H x + b_H) + (1 - T(x)) x$ in each of `depth` layers of one width.

    Before them an affine map with an activation brings the input to `width`, after them another one gives the
    answer. $T = \sigma(W_T x + b_T)$ starts nearly closed by `gate_bias`, the lower the deeper (the paper: -1
    to -4); then 100 layers train, where plain ones do not. Parameters: (in_features + 1) · width
    + 2 · depth · (width + 1) · width + (width + 1) · num_classes.
    Shapes: (batch, ...) with `in_features` numbers per sample -> (batch, num_classes).
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        width: int = 50,
        depth: int = 9,
        activation: Choice = "relu",
        gate_bias: float = -2.0,
    ):
        super().__init__()

        def layer(inputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(inputs, width), chosen(activation, width))

        ways = (SkipConnection(layer(width), "gated", width, gate_bias=gate_bias) for _ in range(depth))
        self.body = nn.Sequential(layer(in_features), *ways)
        self.head = nn.Linear(width, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, width)
        return self.body(x.flatten(1))

    def forward(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        return self.head(self.forward_features(x))
