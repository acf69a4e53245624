"""Weighted channel dropout: channels that say little are the likelier to go."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..activations.context import pooled, spread
from ..normalization.batch import wide


@method(
    "weighted_channel_dropout",
    year=2019,
    paper="Hou and Wang, AAAI 2019",
    topics=("regularization", "vision"),
)
class WeightedChannelDropout(nn.Module):
    r"""Weighted channel dropout: some channels are kept while training, active ones the likelier.

    A channel's weight $s$ is its mean over the map. Of C channels, $M = \text{round}(\text{ratio} \cdot C)$
    are drawn without replacement in proportion to their weights: those with the largest $u^{1/s}$, u uniform.
    Each of these stays with probability `keep`. The kept are multiplied by the sum of all weights over
    that of the M drawn, and by 1/`keep`, so that the summed activity stays what it was. Weights below zero
    count as zero: it stands after ReLU.
    Shapes: (batch, channels, ...) -> the same; each sample has its own draw. Evaluation: x.
    Errors: `UsageError` unless `ratio` and `keep` are above 0 and at most 1.
    """

    def __init__(self, ratio: float = 0.8, keep: float = 0.9):
        super().__init__()
        for name, share in {"ratio": ratio, "keep": keep}.items():
            if not 0 < share <= 1:
                raise UsageError(f"{name} is a share above 0 and at most 1, not {share}")
        self.ratio, self.keep = ratio, keep

    def forward(self, x: Tensor) -> Tensor:  # (b, c, ...) -> (b, c, ...)
        if not self.training or x.numel() == 0:
            return x
        count = max(1, round(self.ratio * x.shape[1]))
        weight = pooled(wide(x.detach()), x.shape[1])  # (b, c)
        weight = weight.clamp_min(torch.finfo(weight.dtype).tiny)
        keys = torch.empty_like(weight).exponential_() / weight  # -ln u / s: small where u^(1/s) is large
        drawn = torch.zeros_like(weight).scatter(1, keys.topk(count, 1, largest=False).indices, 1.0)
        scale = weight.sum(1, keepdim=True) / (weight * drawn).sum(1, keepdim=True)
        kept = drawn * torch.empty_like(weight).bernoulli_(self.keep) * scale / self.keep
        return x * spread(kept.to(x.dtype), x)
