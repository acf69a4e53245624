"""Long short-term memory, as a network that reads text."""

import torch
from torch import Tensor, nn

from ...cards.card import method

State = tuple[Tensor, Tensor]  # the layers' outputs and cells, each (layers, batch, width)


@method(
    "lstm",
    year=1997,
    paper="Hochreiter & Schmidhuber, Neural Computation 9(8); forget gate: Gers et al. 2000",
    aliases=("long_short_term_memory",),
    topics=("language",),
    recipe={
        "optimizer": "adamw",
        "lr": 0.004,
        "schedule": "lr_cosine",
        "clip": 1.0,
        "batch_size": 32,
        "epochs": 4,
        "valid": 0.05,
    },
    tiny={"num_classes": 11, "context": 12, "width": 24, "layers": 2, "dropout": 0.0},
    figures={"parameters": 560_194, "at": {"num_classes": 66, "width": 256, "layers": 1, "dropout": 0.0}},
)
class LSTM(nn.Module):
    r"""Long short-term memory: embedding, layers of gated cells, and a head on each step.

    $c_t = f_t \odot c_{t-1} + i_t \odot \tanh(W_c x_t + U_c h_{t-1} + b_c)$, $h_t = o_t \odot \tanh c_t$; the
    gates are $i, f, o = \sigma(W x_t + U h_{t-1} + b)$. As in PyTorch each has two biases, which are added;
    at the start those of the forget gate add up to `forget_bias`, so that a new cell remembers. The paper of
    1997 had no forget gate.
    `dropout` falls on what layers hand upwards, never on what a step hands to the next. `context` is the
    length of the windows that it is trained on; it reads texts of any length.
    Shapes: ids (batch, length) -> logits (batch, length, num_classes).
    """

    tasks = ("language",)

    def __init__(
        self,
        num_classes: int,
        context: int = 128,
        width: int = 256,
        layers: int = 1,
        dropout: float = 0.0,
        forget_bias: float = 1.0,
    ):
        super().__init__()
        self.context = context
        self.embedding = nn.Embedding(num_classes, width)
        between = dropout if layers > 1 else 0.0
        self.cells = nn.LSTM(width, width, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)
        with torch.no_grad():
            for layer in range(layers):  # gates lie in the order i, f, c, o
                getattr(self.cells, f"bias_ih_l{layer}")[width : 2 * width] = forget_bias
                getattr(self.cells, f"bias_hh_l{layer}")[width : 2 * width] = 0

    def read(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits for ids (batch, length) that come after a state, and the state after them."""
        features, state = self.cells(self.embedding(ids), state)
        return self.head(self.dropout(features)), state

    def forward_features(self, ids: Tensor) -> Tensor:  # (b, t) -> (b, t, d)
        return self.dropout(self.cells(self.embedding(ids))[0])

    def forward(self, ids: Tensor) -> Tensor:  # (b, t) -> (b, t, k)
        return self.head(self.forward_features(ids))
