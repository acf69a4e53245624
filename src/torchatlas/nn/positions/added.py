"""Positions that are added to embeddings: what they share."""

from torch import Tensor, nn

from ...engine.errors import UsageError


class AbstractAddedPosition(nn.Module):
    """A vector for each place, added to what stands there: forward(x) -> x.

    A member says `vectors(length)`, those of the first places. `context` is how many places it has; None is
    no bound.
    Shapes: (batch, length, width) -> the same. Raises UsageError for more places than the context.
    """

    def __init__(self, context: int | None = None):
        super().__init__()
        if context is not None and context < 1:
            raise UsageError(f"context={context} must be 1 or more")
        self.context = context

    def vectors(self, length: int) -> Tensor:  # -> (length, width)
        """The vectors of the first places."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:  # (b, n, d) -> (b, n, d)
        if self.context is not None and x.shape[1] > self.context:
            raise UsageError(f"{x.shape[1]} places are more than the context of {self.context}")
        return x + self.vectors(x.shape[1]).to(x.dtype)
