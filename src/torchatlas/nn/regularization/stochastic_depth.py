"""Stochastic depth: whole residual branches are left out while training."""

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .rate import checked

PER = ("sample", "batch")


@method(
    "stochastic_depth",
    year=2016,
    paper="arXiv:1603.09382",
    aliases=("drop_path",),
    topics=("regularization",),
)
class StochasticDepth(nn.Module):
    r"""Stochastic depth: a residual branch F is left out with probability p, $x + \frac{b}{1 - p} F(x)$.

    $b \sim \text{Bernoulli}(1 - p)$, one for each sample, or for the whole batch as in the paper. It stands
    at the end of the branch: `x + drop(branch(x))`. The paper keeps F in training and multiplies it by 1 - p
    afterwards; here, as is usual since, training divides. `drop_rates` gives the rates of blocks in a row.
    Shapes: (batch, ...) -> the same. Evaluation: x.
    Errors: `UsageError` unless 0 <= p <= 1 and `per` is sample or batch.
    """

    def __init__(self, p: float = 0.5, per: str = "sample"):
        super().__init__()
        if per not in PER:
            raise UsageError(f"per is {' or '.join(PER)}, not {per!r}")
        self.p, self.per = checked(p, whole=True), per

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        draws = (len(x) if self.per == "sample" else 1, *(1,) * (x.ndim - 1))
        kept = x.new_empty(draws).bernoulli_(1 - self.p)
        return x * (kept / (1 - self.p) if self.p < 1 else kept)


def drop_rates(blocks: int, last: float = 0.5) -> tuple[float, ...]:
    r"""The paper's rates for blocks in a row: $\frac{l}{L} p_L$ for l = 1 to L, rising to `last`."""
    return tuple(checked(last, "last", whole=True) * (k + 1) / blocks for k in range(blocks))
