"""Covariance pooling: how channels vary together, on a flat scale."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from ...cards.card import method
from ...engine.errors import UsageError
from ..normalization.batch import wide


class LogOfMatrix(Function):
    """The logarithm of symmetric positive matrices, whose gradient is finite where eigenvalues are alike.

    Autograd goes through the eigenvectors, which are not unique there, though their product is. Eigenvalues
    below `least` count as `least`. Raises UsageError where the gradient's own gradient is asked for.
    """

    @staticmethod
    def forward(ctx: Any, c: Tensor, least: float) -> Tensor:  # (..., d, d) -> (..., d, d)
        values, vectors = torch.linalg.eigh(c)
        values = values.clamp(min=least)
        ctx.save_for_backward(values, vectors)
        return (vectors * values.log()[..., None, :]) @ vectors.mT

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """The divided differences of log, in the eigenvectors' frame."""
        if torch.is_grad_enabled():  # `once_differentiable` would let it pass, and leave a part out
            raise UsageError("the logarithm of a covariance has no second gradient: leave create_graph out")
        values, vectors = ctx.saved_tensors
        a, b = torch.broadcast_tensors(values[..., :, None], values[..., None, :])
        low, apart, mean = torch.minimum(a, b), (a - b).abs(), (a + b) / 2
        far = apart > 1e-4 * mean
        steep = (apart / low).log1p() / apart.where(far, 1)
        slope = torch.where(far, steep, (1 + (apart / mean).square() / 12) / mean)
        turned = vectors.mT @ (grad + grad.mT) @ vectors / 2
        return vectors @ (turned * slope) @ vectors.mT, None


@method("covariance_pool", kind="layer", year=2019, paper="He et al., IEEE TNNLS (SCCov)", topics=("vision",))
class CovariancePool2d(nn.Module):
    r"""Covariance pooling: the logarithm of the channels' covariance over positions, $\log(C + \epsilon I)$.

    $C = \frac{1}{N} X (I - 1 1^T / N) X^T$ over the N positions of a sample. The logarithm makes of the
    curved space of covariances a flat one, in which a linear layer may follow. There is no second gradient.
    Shapes: (batch, c, height, width) -> (batch, c (c + 1) / 2), the upper triangle row by row.
    """

    def __init__(self, eps: float = 1e-3):
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        numbers = wide(x).flatten(2)  # (b, c, n)
        centred = numbers - numbers.mean(2, keepdim=True)
        with torch.autocast(x.device.type, enabled=False):  # products in half precision are not positive
            covariance = centred @ centred.mT / numbers.shape[2]
            ridge = self.eps * torch.eye(x.shape[1], dtype=numbers.dtype, device=x.device)
            logarithm: Tensor = LogOfMatrix.apply(covariance + ridge, self.eps)
        row, column = torch.triu_indices(x.shape[1], x.shape[1], device=x.device)
        return logarithm[:, row, column].to(x.dtype)
