"""BAM: channels and positions are weighted side by side."""

from torch import Tensor, nn

from ...cards.card import method
from .gate import AbstractGate, between, bottleneck, mean_of_map


@method("bam", year=2018, paper="arXiv:1807.06514", topics=("vision",), tiny={"channels": 4, "reduction": 2})
class BAM(AbstractGate):
    r"""BAM (bottleneck attention): $x (1 + \sigma(M_c + M_s))$, scores of channels and of positions added.

    $M_c$: the means through a bottleneck with batch normalisation. $M_s$: a 1×1 convolution to channels /
    `reduction`, two of 3×3 spread by `dilation`, each of the three with batch normalisation and ReLU, and a
    1×1 convolution to one number per position. In the paper it stands between the stages of a network.
    Shapes: (batch, channels, height, width) -> the same; the numbers are scaled by 1 to 2.
    """

    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4):
        super().__init__()
        hidden = between(channels, reduction)
        self.channel = bottleneck(channels, reduction, norm=True)
        self.position = nn.Sequential(
            *(nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU()),
            *(nn.Conv2d(hidden, hidden, 3, 1, dilation, dilation), nn.BatchNorm2d(hidden), nn.ReLU()),
            *(nn.Conv2d(hidden, hidden, 3, 1, dilation, dilation), nn.BatchNorm2d(hidden), nn.ReLU()),
            nn.Conv2d(hidden, 1, 1),
        )

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w), between 1 and 2."""
        scores: Tensor = self.channel(mean_of_map(x)) + self.position(x)
        return 1 + scores.sigmoid()
