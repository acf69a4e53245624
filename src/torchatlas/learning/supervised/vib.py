"""The variational information bottleneck: a code with noise, paid for by what it tells of the input."""

from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.learner import Batch
from ...networks.fitting import Maker, network_for
from .supervised import Criterion, Supervised, weighted_mean

if TYPE_CHECKING:
    from ...data.spec import Spec


class Bottleneck(nn.Module):
    r"""An encoder to mean and spread of a code, the code, and an affine map to scores.

    Training draws the code, $\mu + \sigma \varepsilon$; evaluation takes $\mu$. The encoder gives 2 k numbers
    for a code of k: means, then what softplus(· - 5) makes spreads of, as in the paper.
    Shapes: (batch, ...) -> (batch, outputs).
    """

    def __init__(self, encoder: nn.Module, code: int, outputs: int):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(code, outputs)

    def code(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (b, ...) -> 2 of (b, k)
        """The code's means and spreads."""
        mean, spread = self.encoder(x).chunk(2, 1)
        return mean, F.softplus(spread - 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.told(x)[0]

    def told(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (b, ...) -> (b, outputs), (b,)
        """The scores, and how much the code tells of each sample, in nats."""
        mean, spread = self.code(x)
        code = mean + spread * torch.randn_like(mean) if self.training else mean
        return self.head(code), divergence(mean, spread)


def divergence(mean: Tensor, spread: Tensor) -> Tensor:  # 2 of (b, k) -> (b,)
    r"""$KL(N(\mu, \sigma^2) \| N(0, 1))$: $\frac{1}{2} \sum (\mu^2 + \sigma^2 - \ln \sigma^2 - 1)$."""
    small = torch.finfo(spread.dtype).tiny
    return (mean.square() + spread.square() - 1).sum(1) / 2 - spread.clamp_min(small).log().sum(1)


@method("vib", year=2016, paper="arXiv:1612.00410", topics=("regularization", "information"))
class VIB(Supervised):
    r"""Variational information bottleneck: the loss by a noisy code, plus $\beta$ times what the code tells.

    $L(f(z), y) + \beta KL(N(\mu(x), \sigma(x)^2) \| N(0, 1))$ with $z = \mu + \sigma \varepsilon$: an upper
    bound of how much of x the code keeps is paid for. Predictions take z = μ.
    Any network will do as encoder: it gives 2 `code` numbers in place of the data's classes.
    Errors: `UsageError` for a code of less than one number, and a β below 0.
    """

    def __init__(
        self,
        network: nn.Module,
        beta: float = 1e-3,
        task: str = "classification",
        loss: Criterion | None = None,
        penalty: nn.Module | None = None,
    ):
        super().__init__(network, task, loss, penalty)
        if not beta >= 0:
            raise UsageError(f"beta must be at least 0, not {beta}")
        self.beta = beta

    @classmethod
    def for_data(  # type: ignore[override]
        cls, spec: "Spec", backbone: Maker = "mlp", code: int = 32, beta: float = 1e-3
    ) -> Self:
        """An encoder by name or class, with a code of so many numbers."""
        if code < 1:
            raise UsageError(f"code={code}: a code has at least one number")
        encoder = network_for(spec, backbone, 2 * code)
        return cls(Bottleneck(encoder, code, spec.outputs), beta, spec.task)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The mean loss of a drawn code, and what it tells, by sample weights where the batch has them."""
        scores, tells = self.network.told(batch[0])  # type: ignore[operator]
        price = weighted_mean(tells, batch[2]) if len(batch) == 3 else tells.mean()
        return self.penalised(scores, batch) + self.beta * price
