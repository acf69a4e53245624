"""The multilayer perceptron: affine maps with an activation between them."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ...cards.card import method
from ...nn.choosing import Choice, chosen


@method(
    "mlp",
    year=1986,
    paper="Rumelhart, Hinton & Williams, Nature 323",
    aliases=("multilayer_perceptron",),
    topics=("classification", "regression"),
    recipe={"optimizer": "adam", "lr": 0.003, "batch_size": 64, "epochs": 30},
    tiny={"in_features": 12, "num_classes": 3, "hidden": (16,)},
    figures={"parameters": 203_530, "at": {"in_features": 784, "num_classes": 10, "hidden": (256,)}},
)
class MLP(nn.Module):
    r"""Multilayer perceptron: $h = \phi(xW_1 + b_1)$ for each hidden layer, then one affine map.

    `hidden` gives the widths of the hidden layers (a number is one layer; empty leaves one affine map),
    `dropout` the share of each hidden layer that is dropped in training. Parameters: the sum over layers of
    (inputs + 1) * outputs.
    Shapes: (batch, ...) with `in_features` numbers per sample -> (batch, num_classes).
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        hidden: int | Sequence[int] = (256,),
        activation: Choice = "relu",
        dropout: float = 0.0,
    ):
        super().__init__()
        widths = [in_features, *((hidden,) if isinstance(hidden, int) else hidden)]
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(widths):
            layers.append(nn.Linear(wide, narrow))
            layers.append(chosen(activation, narrow))
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], num_classes)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, hidden[-1])
        return self.body(x.flatten(1))

    def forward(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        return self.head(self.forward_features(x))
