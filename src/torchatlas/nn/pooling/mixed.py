"""Mixtures of the largest number of a window and its mean."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from .windows import Size


class AbstractMixedPool2d(nn.Module):
    """Max and average pooling of the same windows, put together.

    Shapes: (batch, channels, height, width) -> (batch, channels, height', width'), where not said otherwise.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def mixed(self, largest: Tensor, mean: Tensor) -> Tensor:
        """The two pooled maps as one."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        words = (self.kernel_size, self.stride, self.padding)
        return self.mixed(F.max_pool2d(x, *words), F.avg_pool2d(x, *words))


@method("mixed_pool", year=2014, paper="Yu et al., RSKT", tiny={"kernel_size": 2})
class RandomMixedPool2d(AbstractMixedPool2d):
    """Mixed pooling: the largest number or the mean of each window, one of the two at random per batch.

    Evaluation takes the largest if it was drawn at least as often as the mean while training, else the mean.
    """

    drawn: Tensor

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0):
        super().__init__(kernel_size, stride, padding)
        self.register_buffer("drawn", torch.zeros(2, dtype=torch.long))  # how often the largest, and the mean

    def mixed(self, largest: Tensor, mean: Tensor) -> Tensor:
        """One of the two maps."""
        if self.training:
            takes_largest = torch.rand((), device=largest.device) < 0.5
            self.drawn.add_(torch.stack((takes_largest, ~takes_largest)))
        else:
            takes_largest = self.drawn[0] >= self.drawn[1]
        return torch.where(takes_largest, largest, mean)


@method("mixed_pool_learned", year=2015, paper="arXiv:1509.08985", tiny={"kernel_size": 2})
class LearnedMixedPool2d(AbstractMixedPool2d):
    r"""Learned mixed pooling: $λ \max + (1 - λ) \mathrm{mean}$ of each window, λ learned.

    λ lies between 0 and 1, as the sigmoid of a parameter; it starts at one half.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0):
        super().__init__(kernel_size, stride, padding)
        self.logit = nn.Parameter(torch.zeros(()))

    def mixed(self, largest: Tensor, mean: Tensor) -> Tensor:
        """A point between the two maps."""
        share = self.logit.sigmoid()
        return share * largest + (1 - share) * mean


@method("mixed_pool_sum", tiny={"kernel_size": 2})
class SumPool2d(AbstractMixedPool2d):
    """Summed max and average pooling: the largest number of each window plus its mean."""

    def mixed(self, largest: Tensor, mean: Tensor) -> Tensor:
        """The sum of the two maps."""
        return largest + mean


@method("mixed_pool_concat", kind="layer", tiny={"kernel_size": 2})
class ConcatPool2d(AbstractMixedPool2d):
    """Joined max and average pooling: the largest numbers as channels of their own before the means.

    Shapes: (batch, channels, height, width) -> (batch, 2 channels, height', width').
    """

    def mixed(self, largest: Tensor, mean: Tensor) -> Tensor:
        """Both maps, one after the other."""
        return torch.cat((largest, mean), 1)
