"""Losses against proxies: each class has a learned point, and rows are compared with these alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, log_one_plus, log_sum


class AbstractProxyLoss(AbstractEmbeddingLoss):
    """A loss of unit vectors against one learned unit vector per class, the class's proxy.

    `num_classes` is that of the data, `width` that of the embeddings. The proxies are parameters, which the
    learner that holds the loss trains with the network.
    """

    def __init__(self, num_classes: int, width: int = 64, reduction: str = "mean"):
        super().__init__(unit=True, reduction=reduction)
        if num_classes < 2 or width < 1:
            raise UsageError(f"proxies need two classes and a width of 1, not {num_classes} and {width}")
        self.proxies = nn.Parameter(torch.randn(num_classes, width))

    def cosines(self, embeddings: Tensor) -> Tensor:  # (b, d) -> (b, k)
        """Of every row with every proxy."""
        if embeddings.shape[1] != self.proxies.shape[1]:
            wide, width = embeddings.shape[1], self.proxies.shape[1]
            raise UsageError(f"the embeddings are {wide} wide and the proxies {width}: say width={wide}")
        return self.points(embeddings) @ F.normalize(self.proxies, dim=1).mT

    def own(self, labels: Tensor) -> Tensor:  # (b,) -> (b, k)
        """Which proxy is a row's own."""
        return labels[:, None] == torch.arange(len(self.proxies), device=labels.device)


@method(
    "proxy_nca",
    year=2017,
    paper="arXiv:1703.07464",
    topics=("classification", "metric-learning"),
    tiny={"num_classes": 3, "width": 4},
)
class ProxyNCA(AbstractProxyLoss):
    r"""Proxy-NCA: $-\log(e^{-d(x, p_y)} / \sum_{z \neq y} e^{-d(x, p_z)})$, with $d$ the squared distance.

    The sum leaves the row's own proxy out, so the loss falls below 0 where that is much nearer than the
    others. The mean is over rows.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        near = 2 * self.cosines(embeddings) - 2  # minus the squared distances
        own = self.own(labels)
        losses = log_sum(near, ~own) - torch.where(own, near, 0.0).sum(1)
        return self.over(losses)


@method(
    "proxy_nca_pp",
    year=2020,
    paper="arXiv:2004.01113",
    aliases=("proxy_nca_plus_plus",),
    topics=("classification", "metric-learning"),
    tiny={"num_classes": 3, "width": 4},
)
class ProxyNCAPlusPlus(AbstractProxyLoss):
    r"""ProxyNCA++: Proxy-NCA with all proxies in the sum, a softmax of $-d / T$.

    $d$ is the squared distance and $T$ `temperature`. Of the paper's other changes, the wider steps of the
    proxies, the pooling and the layer norm are matters of training and network.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(
        self, num_classes: int, width: int = 64, temperature: float = 1 / 9, reduction: str = "mean"
    ):
        super().__init__(num_classes, width, reduction)
        if not temperature > 0:
            raise UsageError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        scores = 2 * self.cosines(embeddings) / self.temperature  # -d / T, up to a constant
        return self.over(F.cross_entropy(scores, labels, reduction="none"))


@method(
    "proxy_anchor",
    year=2020,
    paper="arXiv:2003.13911",
    topics=("classification", "metric-learning"),
    tiny={"num_classes": 3, "width": 4},
)
class ProxyAnchor(AbstractProxyLoss):
    r"""Proxy-Anchor: each proxy pulls the rows of its class, the farthest most, and pushes the others away.

    With $s$ the cosine of a row and a proxy, the mean of $\log(1 + \sum e^{-\alpha (s - \delta)})$ over the
    proxies that have rows in the batch, summed over these, plus the mean over all proxies of
    $\log(1 + \sum e^{\alpha (s + \delta)})$, summed over the rows of other classes.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(
        self,
        num_classes: int,
        width: int = 64,
        alpha: float = 32.0,
        delta: float = 0.1,
        reduction: str = "mean",
    ):
        super().__init__(num_classes, width, reduction)
        if not alpha > 0:
            raise UsageError(f"alpha must be above 0, not {alpha}")
        self.alpha, self.delta = alpha, delta

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        cosine, own = self.cosines(embeddings).mT, self.own(labels).mT  # (k, b)
        pull = log_one_plus(log_sum(-self.alpha * (cosine - self.delta), own))
        push = log_one_plus(log_sum(self.alpha * (cosine + self.delta), ~own))
        present = own.any(1)
        near = torch.where(present, pull, 0.0).sum() / present.sum().clamp_min(1)
        return self.of_batch(near + push.mean(), len(labels))
