"""RandAugment: a few moves drawn from many, each with a strength that is drawn too."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method

# Each move and its largest strength, both ways; rotation in radians, translation as a share of half the side.
MOVES = {
    **{"rotate": math.pi / 6, "shear_x": 0.3, "shear_y": 0.3, "translate_x": 0.6, "translate_y": 0.6},
    **{"contrast": 0.95, "darken": 0.95, "nothing": 0.0},
}


@method("randaugment", year=2019, paper="arXiv:1909.13719", topics=("augmentation", "vision"))
class RandAugment(nn.Module):
    r"""RandAugment for tensors of any scaling: `count` moves for each image, drawn with their strengths.

    The moves are rotation (to 30°), shear (0.3) and translation (30 % of the side) both ways, less contrast
    and darkening (to 5 %), and none; strengths are uniform, as FixMatch takes them, up to `magnitude` times
    these limits. The paper's others (posterise, solarise, equalise …) are made for bytes and left out. All
    geometry of an image is one bilinear resampling; what comes in is the border's pixel.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, count: int = 2, magnitude: float = 1.0):
        super().__init__()
        self.count, self.magnitude = count, magnitude

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        strengths = self.strengths(x)  # (b, count, moves)
        maps = torch.eye(3, dtype=x.dtype, device=x.device).expand(len(x), 3, 3)
        for k in range(self.count):
            maps = maps @ affine(strengths[:, k])
        shape = [*x.shape]
        grid = F.affine_grid(maps[:, :2], shape, align_corners=False)
        moved = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        for k in range(self.count):
            moved = _shaded(moved, strengths[:, k])
        return moved

    def strengths(self, x: Tensor) -> Tensor:  # -> (b, count, moves)
        """For each image and each of its moves, the strength of the one drawn; the others have none."""
        limits = torch.tensor(list(MOVES.values()), dtype=x.dtype, device=x.device)
        drawn = torch.randint(len(MOVES), (len(x), self.count), device=x.device)
        uniform = 2 * torch.rand(len(x), self.count, 1, dtype=x.dtype, device=x.device) - 1
        return F.one_hot(drawn, len(MOVES)).to(x.dtype) * limits * (self.magnitude * uniform)


def affine(strength: Tensor) -> Tensor:  # (b, moves) -> (b, 3, 3)
    """The map of places in the new image to places in the old one, in -1..1 both ways."""
    turn, shear_x, shear_y, right, down = strength[:, :5].unbind(1)
    zero, one = torch.zeros_like(turn), torch.ones_like(turn)
    rows = (turn.cos(), shear_x - turn.sin(), right, shear_y + turn.sin(), turn.cos(), down, zero, zero, one)
    return torch.stack(rows, 1).view(-1, 3, 3)


def _shaded(x: Tensor, strength: Tensor) -> Tensor:
    """Towards the image's mean (contrast) or its darkest pixel (darken), by the drawn share."""
    contrast, darken = (strength[:, k].abs().view(-1, 1, 1, 1) for k in (5, 6))
    flat = x.flatten(1)
    middle, dark = (flat.mean(1).view(-1, 1, 1, 1), flat.amin(1).view(-1, 1, 1, 1))
    return x + contrast * (middle - x) + darken * (dark - x)
