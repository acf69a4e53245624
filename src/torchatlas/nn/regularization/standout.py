"""Standout: dropout whose rate each unit learns from what it sees."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ..choosing import Choice, chosen


@method(
    "standout",
    year=2013,
    paper="Ba and Frey, NeurIPS 2013",
    topics=("regularization",),
    tiny={"in_features": 4, "out_features": 5},
)
class Standout(nn.Module):
    r"""Standout: an affine layer whose units are kept with a probability of their own.

    $z = W x + b$; training gives $m \phi(z)$ with $m \sim \text{Bernoulli}(\sigma(\alpha z + \beta))$,
    evaluation $\sigma(\alpha z + \beta) \phi(z)$. The net that sets the rates shares the layer's weights, as
    the paper found to work as well as weights of its own. $\alpha = 0$ is dropout that keeps a share
    $\sigma(\beta)$ and is scaled in evaluation.
    Shapes: (..., in_features) -> (..., out_features). `activation` is $\phi$, ReLU by default.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        alpha: float = 1.0,
        beta: float = 0.0,
        activation: Choice = "relu",
    ):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.activation = chosen(activation, out_features, dim=-1)
        self.alpha, self.beta = alpha, beta

    def forward(self, x: Tensor) -> Tensor:  # (..., d) -> (..., h)
        z = self.linear(x)
        keep = (self.alpha * z + self.beta).sigmoid()
        return self.activation(z) * (torch.bernoulli(keep.detach()) if self.training else keep)
