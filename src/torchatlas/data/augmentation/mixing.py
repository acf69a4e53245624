"""Mixing of rows: two samples become one, and their targets with them."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError


class AbstractMixing(nn.Module):
    r"""Rows mixed with rows of the same batch in a random order.

    By one share for a batch, $\lambda \sim \text{Beta}(\alpha, \alpha)$.
    Targets are numbers: values, or probabilities of classes.
    Errors: `UsageError` unless alpha is above 0.
    """

    mixes = True

    def __init__(self, alpha: float):
        super().__init__()
        if not alpha > 0:
            raise UsageError(f"alpha must be above 0, not {alpha}")
        self.alpha = float(alpha)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        order = torch.randperm(len(x), device=x.device)
        mixed, share = self.mix(x, x[order], self.share(x))
        share = share.to(y.dtype)
        return mixed, share * y + (1 - share) * y[order]

    def share(self, x: Tensor) -> Tensor:  # -> ()
        """λ, the first row's share."""
        alpha = torch.full((), self.alpha, device=x.device)  # filled there, not sent there
        return torch.distributions.Beta(alpha, alpha, validate_args=False).sample()

    def mix(self, x: Tensor, other: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """The mixed rows, and how much of them is the first's."""
        raise NotImplementedError


@method(
    "mixup",
    year=2017,
    paper="arXiv:1710.09412",
    topics=("augmentation", "regularization"),
)
class Mixup(AbstractMixing):
    r"""Mixup: every row is a weighted mean of two, and so is its target, $\lambda x_i + (1 - \lambda) x_j$.

    $\lambda \sim \text{Beta}(\alpha, \alpha)$, one for a batch; j is i in a random order. $\alpha$ is 0.2 for
    ImageNet, 1 for CIFAR in the paper. As cross entropy is linear in the target, the loss is
    $\lambda L(y_i) + (1 - \lambda) L(y_j)$ exactly.
    Shapes: (batch, ...), targets (batch, outputs) of floats -> the same.
    Errors: `UsageError` unless alpha is above 0.
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__(alpha)

    def mix(self, x: Tensor, other: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """The weighted mean."""
        return torch.lerp(other, x, share.to(x.dtype)), share


@method(
    "cutmix",
    year=2019,
    paper="arXiv:1905.04899",
    topics=("augmentation", "regularization", "vision"),
)
class CutMix(AbstractMixing):
    r"""CutMix: a box of another image is pasted into each one; targets count by what can be seen.

    The box has $\sqrt{1 - \lambda}$ of the image's sides, $\lambda \sim \text{Beta}(\alpha, \alpha)$; its
    middle is a pixel of the image, all as likely, so that the border may clip it. One box for a batch.
    The share of the first target is that of the pixels which stayed.
    Shapes: (batch, channels, height, width), targets (batch, outputs) of floats -> the same.
    Errors: `UsageError` unless alpha is above 0.
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__(alpha)

    def mix(self, x: Tensor, other: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """The other image within a box."""
        rows, columns = (_inside(length, (1 - share).sqrt()) for length in x.shape[2:])
        pasted = rows[:, None] & columns  # (h, w)
        return torch.where(pasted, other, x), 1 - pasted.to(share.dtype).mean()


def _inside(length: int, share: Tensor) -> Tensor:  # -> (length,)
    """Which places along an axis lie in a stretch of a share of it, about a random place."""
    middle = torch.randint(length, (), device=share.device)
    half = (share * length / 2).floor()
    place = torch.arange(length, device=share.device)
    return (place >= middle - half) & (place < middle + half)
