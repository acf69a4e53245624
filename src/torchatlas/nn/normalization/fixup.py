"""Fixup: deep residual networks that train without normalisation, by how their weights begin."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..choosing import Choice, chosen


@method("fixup", kind="layer", year=2019, paper="arXiv:1901.09321", tiny={"channels": 4, "blocks": 4})
class FixupBlock(nn.Module):
    r"""Fixup: a residual block without norm, whose weights begin so that updates do not grow with depth.

    Of the m convolutions of the branch the last begins at zero, the others at He's scale times
    $L^{-1 / (2m - 2)}$, where L counts the network's blocks. A scalar bias (0) stands before each convolution
    and before each activation, a scalar factor (1) and a bias after the last. At first the block is its
    activation. The network's classifier begins at zero too, which is left to the network.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for fewer than two layers.
    """

    def __init__(self, channels: int, blocks: int, layers: int = 2, activation: Choice = "relu"):
        super().__init__()
        if layers < 2 or blocks < 1:
            raise UsageError(f"layers={layers} must be 2 or more, and blocks={blocks} at least 1")
        convs = [nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(layers)]
        self.activations = nn.ModuleList(chosen(activation, channels) for _ in range(layers))
        self.before, self.after = nn.Parameter(torch.zeros(layers)), nn.Parameter(torch.zeros(layers))
        self.factor = nn.Parameter(torch.ones(()))
        with torch.no_grad():
            for conv in convs:
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                conv.weight.mul_(blocks ** (-1 / (2 * layers - 2)))
            nn.init.zeros_(convs[-1].weight)
        self.convs = nn.ModuleList(convs)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        branch, last = x, len(self.convs) - 1
        for layer, (conv, act) in enumerate(zip(self.convs, self.activations, strict=True)):
            branch = conv(branch + self.before[layer])
            if layer < last:
                branch = act(branch + self.after[layer])
        y: Tensor = self.activations[last](x + self.factor * branch + self.after[last])
        return y
