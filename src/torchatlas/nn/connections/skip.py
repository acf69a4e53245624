"""The skip connection: what a body was given goes around it, too."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..choosing import Choice, chosen

WAYS = ("add", "concat", "gated")


@method(
    "skip_connection",
    year=2015,
    paper="arXiv:1512.03385",
    aliases=("residual_connection",),
    tiny={"body": "tanh", "way": "gated", "channels": 4},
)
class SkipConnection(nn.Module):
    r"""Skip connection: a body F beside which its input passes, so that gradients do, $y = x + F(x)$.

    way "add" is the residual network's, above. "concat" is the dense network's, $y = [x, F(x)]$ along `dim`.
    "gated" is the highway network's (arXiv:1505.00387): $y = T(x) F(x) + (1 - T(x)) x$ with
    $T = \sigma(W_T x + b_T)$, an affine map of the `channels` along `dim`; $b_T$ starts at `gate_bias`, below
    zero, so that at first the input passes.
    body: a module, or an activation by name. Shapes: (batch, ..., channels at `dim`, ...) -> the same, which
    F must keep; with "concat" `dim` has F's channels more.
    Errors: `UsageError` for another way, and for a gate that is not told its channels.
    """

    def __init__(
        self,
        body: nn.Module | Choice,
        way: str = "add",
        channels: int | None = None,
        dim: int = 1,
        gate_bias: float = -2.0,
    ):
        super().__init__()
        if way not in WAYS:
            raise UsageError(f"way is {', '.join(WAYS)}, not {way!r}")
        if way == "gated" and channels is None:
            raise UsageError("a gate stands on channels: say how many, as in channels=64")
        self.body = body if isinstance(body, nn.Module) else chosen(body, channels or 1, dim)
        self.way, self.dim = way, dim
        if way == "gated":
            assert channels is not None
            self.gate = nn.Linear(channels, channels)
            nn.init.constant_(self.gate.bias, gate_bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        if self.way == "concat":
            return torch.cat((x, y), self.dim)
        if self.way == "gated":
            gate = self.gate(x.movedim(self.dim, -1)).movedim(-1, self.dim).sigmoid()
            return x + gate * (y - x)
        return x + y
